"""What goes out beside the data: what people stated, then what the file's header says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What a header may fill. Anything else in a header stays in the provenance.
FROM_HEADER = ("protocol", "test_setup", "start_time", "end_time", "notes")


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
        if known is None:
            merged[key] = found
        elif isinstance(known, Mapping) and isinstance(found, Mapping):
            merged[key] = {**found, **known}
    return merged
