"""What a 409 means: a name that is taken, or a conflict of another kind.

Studio answers 409 for at least five different reasons. Only one of them, a duplicate name,
is an answer that create-or-get may resolve; the others are failures with the server's message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Keys of the id before ``detail.existing_id`` was documented, such as
#: ``existing_cell_instance_id``; some servers still send them.
_LEGACY_KEY: Final = re.compile(r"existing_\w+_id")

#: Levels at which ``detail`` may lie: the body, its detail, and once more because FastAPI wraps
#: the standard body in a ``detail`` of its own.
MAX_NESTING: Final = 3

#: Words in a conflict's resource type or message that concern equipment, not a name.
EQUIPMENT_WORDS: Final = ("channel", "cycler", "out of commission", "overlap")


def existing_id(body: object) -> str | None:
    """Return the id of the record that a 409 body names, None where it names none.

    The documented key, ``detail.existing_id``, outranks every legacy key; of several the
    innermost ``detail`` counts. Ids are texts or whole numbers.
    """
    levels = list(_levels(body))[::-1]
    documented = (level.get("existing_id") for level in levels)
    legacy = (
        value
        for level in levels
        for key, value in level.items()
        if isinstance(key, str) and _LEGACY_KEY.fullmatch(key)
    )
    return next((str(value) for value in (*documented, *legacy) if _is_id(value)), None)


def is_duplicate_name(body: object, message: str, name: str) -> bool:
    """Return whether a 409 can mean that ``name`` is taken, so that looking it up makes sense.

    A conflict over a channel or cycler is never one. The name itself is taken out of the
    message first: a measurement may well be called "channel 5".
    """
    for level in _levels(body):
        if "channel_id" in level or "cycler_id" in level:
            return False
        if _names_equipment(str(level.get("resource_type", ""))):
            return False
    rest = message.replace(name, "") if name else message
    return not _names_equipment(rest)


def same_name(one: str, other: str) -> bool:
    """Return whether a server may take two names for one: case, outer blanks, Unicode form."""
    return _folded(one) == _folded(other)


def agrees(sent: Any, stored: Any) -> bool:
    """Return whether a stored record can be what was sent: no field of both differs.

    Fields that the server left out, added or nested otherwise are ignored. Dates are compared
    by their day, because Studio returns a date as a date-time.
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


def _levels(body: object) -> Iterator[Mapping[str, Any]]:
    level = body
    for _ in range(MAX_NESTING):
        if not isinstance(level, Mapping):
            return
        yield level
        level = level.get("detail")


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() != ""


def _names_equipment(text: str) -> bool:
    lowered = text.casefold()
    return any(word in lowered for word in EQUIPMENT_WORDS)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _same_text(sent: str, stored: str) -> bool:
    if sent.strip() == stored.strip():
        return True
    day = sent[:10]
    return len(day) == 10 and day[4:5] == "-" and day[7:8] == "-" and stored.startswith(day)
