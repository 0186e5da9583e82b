"""What a 409 means: a name that is taken, or a refusal of another kind.

Studio answers 409 for at least five different reasons. Only one of them, a duplicate name,
is an answer that create-or-get may resolve; the others are failures with the server's words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Keys that bore the id before ``detail.existing_id`` did; some servers still send them.
LEGACY_PREFIX: Final = "existing_"
LEGACY_SUFFIX: Final = "_id"

#: How deep ``detail`` may lie in ``detail``: FastAPI wraps the standard body once.
MAX_NESTING: Final = 3

#: Words in a refusal's resource type or message that speak of equipment, not of a name.
EQUIPMENT_WORDS: Final = ("channel", "cycler", "out of commission", "overlap")


def existing_id(body: Mapping[str, Any] | None) -> str | None:
    """Give the id that a 409 body names, under today's key or a legacy one, at any level."""
    levels = list(_levels(body))
    for level in levels:
        if _is_id(found := level.get("existing_id")):
            return str(found)
    for level in levels:
        for key, found in level.items():
            if key.startswith(LEGACY_PREFIX) and key.endswith(LEGACY_SUFFIX) and _is_id(found):
                return str(found)
    return None


def is_duplicate_name(body: Mapping[str, Any] | None, message: str, name: str) -> bool:
    """Tell whether a 409 can mean that ``name`` is taken, so that looking it up makes sense.

    A refusal that speaks of a channel or cycler is never one. The name itself is taken out of
    the message first: a measurement may well be called "channel 5".
    """
    for level in _levels(body):
        if "channel_id" in level or "cycler_id" in level:
            return False
        if _speaks_of_equipment(str(level.get("resource_type", ""))):
            return False
    rest = message.replace(name, "") if name else message
    return not _speaks_of_equipment(rest)


def same_name(one: str, other: str) -> bool:
    """Tell whether a server may hold two names for one: case, outer blanks, Unicode form."""
    return _folded(one) == _folded(other)


def agrees(sent: Any, stored: Any) -> bool:
    """Tell whether a stored record can be what was sent: no field of both differs.

    What the server left out, added or nested otherwise is no disagreement. Dates are compared
    by their day, because a date comes back as a date-time.
    """
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return all(agrees(value, stored[key]) for key, value in sent.items() if key in stored)
    if sent is None or stored is None:
        return True
    if isinstance(sent, bool) or isinstance(stored, bool):
        return bool(sent == stored)
    if isinstance(sent, int | float) and isinstance(stored, int | float):
        return float(sent) == float(stored)
    if isinstance(sent, str) and isinstance(stored, str):
        return _same_text(sent, stored)
    return True


def _levels(body: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    level: Any = body
    for _ in range(MAX_NESTING):
        if not isinstance(level, Mapping):
            return
        yield level
        level = level.get("detail")


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _speaks_of_equipment(text: str) -> bool:
    lowered = text.casefold()
    return any(word in lowered for word in EQUIPMENT_WORDS)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _same_text(sent: str, stored: str) -> bool:
    if sent.strip() == stored.strip():
        return True
    day = sent[:10]
    return len(day) == 10 and day[4:5] == "-" and day[7:8] == "-" and stored.startswith(day)
