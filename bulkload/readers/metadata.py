"""What a file's own header says of the test, under the names of the measurement record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bulkload.readers.timestamps import numbers_of_date, sheet_days, start_of

#: Where each field belongs in the measurement's payload.
_GROUPS: Final = {
    "procedure": ("protocol", "name"),
    "start_time": (None, "start_time"),
    "notes": (None, "notes"),
}

#: Longest value kept, in characters: a comment, not an essay.
MAX_VALUE_CHARS: Final = 2000

#: Longest preamble that is searched for labels, in characters.
MAX_PREAMBLE_CHARS: Final = 20_000

#: What cyclers write for "nothing here".
_NOTHING: Final = frozenset({"", "-", "none", "null", "n/a", "****"})


def grouped(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Group flat fields as the measurement has them; values that say nothing are left out."""
    result: dict[str, Any] = {}
    for key, value in fields.items():
        if value is None or str(value).strip().lower() in _NOTHING:
            continue
        group, name = _GROUPS.get(key, ("test_setup", key))
        kept = value if isinstance(value, int) else str(value).strip()[:MAX_VALUE_CHARS]
        (result if group is None else result.setdefault(group, {}))[name] = kept
    return result


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two headers; the first has the last word."""
    result: dict[str, Any] = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
            result[key] = {**second[key], **first[key]}
    return result


def labelled(
    lines: Iterable[str], labels: Mapping[str, str], separator: str = ":"
) -> dict[str, str]:
    """Read ``label: value`` lines; the first of a label counts. Labels are in lower case."""
    found: dict[str, str] = {}
    for line in lines:
        label, mark, value = line.partition(separator)
        key = labels.get(label.strip(" ~\t").lower())
        if mark and key and key not in found and value.strip():
            found[key] = value.strip()
    return found


def between(text: str, label: str, others: Sequence[str]) -> str | None:
    """Return what stands after a label, up to the next label or the end of the line."""
    text = text[:MAX_PREAMBLE_CHARS]
    ends = "|".join(re.escape(other) for other in others)
    match = re.search(rf"{re.escape(label)}\s*:?\s*(.*?)\s*(?:(?:{ends})\s*:|[\t\r\n]|$)", text)
    return match.group(1) if match and match.group(1) else None


def with_iso_start(fields: dict[str, Any]) -> dict[str, Any]:
    """Bring ``start_time`` to ISO form, or leave it out where it is no date.

    A date such as 05/06/2024 stays as it is: what settles it is asked for later.
    """
    start = fields.get("start_time")
    if isinstance(start, float):
        fields["start_time"] = sheet_days(start)
    elif start is not None:
        text = str(start).strip()
        fields["start_time"] = start_of(text) or (text if numbers_of_date(text) else None)
    return fields
