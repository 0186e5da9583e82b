"""Metadata of a measurement: what people stated, then what the file's header says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

#: What a header may fill. Anything else in a header stays in the provenance.
FROM_HEADER: Final = ("protocol", "test_setup", "start_time", "end_time", "notes")


def merged_metadata(stated: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a measurement: ``header`` fills what ``stated`` leaves open.

    Objects (protocol, test_setup) are filled key by key. Nothing stated is ever replaced.
    """
    merged: dict[str, Any] = {
        key: value for key, value in stated.items() if value not in (None, "", {}, [])
    }
    for key in FROM_HEADER:
        found = header.get(key)
        if found in (None, "", {}, []):
            continue
        known = merged.get(key)
        if known is None or _is_finer(known, found):
            merged[key] = found
        elif isinstance(known, Mapping) and isinstance(found, Mapping):
            merged[key] = {**found, **known}
    return merged


def _is_finer(known: Any, found: Any) -> bool:
    """Return whether a moment in the header is on the day that a path or a person gave."""
    return (
        isinstance(known, str)
        and isinstance(found, str)
        and _DAY.fullmatch(known) is not None
        and found.startswith(f"{known}T")
    )
