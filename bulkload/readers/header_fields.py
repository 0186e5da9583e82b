"""What a file's own header says of the test, under the names of the measurement record."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.readers.timestamps import numbers_of_date, sheet_days, start_of

#: Where each field belongs in the measurement's payload.
_GROUPS: Final = {
    "procedure": ("protocol", "name"),
    "start_time": (None, "start_time"),
    "notes": (None, "notes"),
}

#: Longest value kept, in characters: a comment, not an essay.
MAX_VALUE_CHARS: Final = 2000

#: Longest line of a preamble that is looked at, in characters.
MAX_LINE_CHARS: Final = 4000

#: Longest preamble that is searched for labels, in characters.
MAX_PREAMBLE_CHARS: Final = 20_000

#: What cyclers write for "nothing here".
_NOTHING: Final = frozenset({"", "-", "none", "null", "n/a", "****"})


#: Fields that say something of a person, a machine of the lab or what somebody typed, and not of
#: the test: they are sent only where the user asks for them. Every other field describes the test.
PERSONAL_FIELDS: Final = frozenset({"operator", "source_file_path", "notes", "barcode_comment"})

#: Control characters but for line ends, the filler of old programs, and what a spreadsheet or a
#: delimited preamble leaves behind a value.
_NOISE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]+|\u00ff{2,}")
_AROUND: Final = " \t\r\n,;\u00ff\ufeff"


def cleaned(value: str) -> str:
    """Return a value without what is no part of it.

    That is padding, delimiters behind it, quotation marks around it, control characters and runs
    of ``ÿ``.
    """
    text = _NOISE.sub(" ", value).strip(_AROUND)
    while len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].strip(_AROUND)
    return text


def sendable(header: Mapping[str, Any], asked: Collection[str] = ()) -> dict[str, Any]:
    """Return what of a header goes out: what describes the test, and the fields that are asked.

    ``asked`` are names of fields, such as ``operator`` or ``notes``.
    """
    kept = PERSONAL_FIELDS - set(asked)
    result: dict[str, Any] = {}
    for name, value in header.items():
        if isinstance(value, Mapping):
            inner = {key: entry for key, entry in value.items() if key not in kept}
            if inner:
                result[name] = inner
        elif name not in kept:
            result[name] = value
    return result


def field_names(header: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a header's fields, as ``--header-fields`` takes them."""
    names: list[str] = []
    for name, value in header.items():
        names += value if name == "test_setup" else (name,)
    return tuple(names)


def header_decisions(header: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[Decision, ...]:
    """Return which fields of a header are sent and which are not."""
    names = field_names(sent)
    kept = tuple(name for name in field_names(header) if name not in names)
    found = []
    if names:
        found.append(
            Decision(
                code=DecisionCode.HEADER_FIELDS_SENT,
                detail=f"sent with the measurement: {', '.join(names)}",
                evidence="header",
                columns=names,
            )
        )
    if kept:
        found.append(
            Decision(
                code=DecisionCode.HEADER_FIELDS_LEFT_OUT,
                detail=f"not sent: {', '.join(kept)}; --header-fields {','.join(kept)} sends them",
                evidence="personal or local",
                columns=kept,
            )
        )
    return tuple(found)


def grouped(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Group flat fields as the measurement has them; values that say nothing are left out."""
    result: dict[str, Any] = {}
    for key, value in fields.items():
        text = "" if value is None else cleaned(str(value))
        if text.lower() in _NOTHING:
            continue
        group, name = _GROUPS.get(key, ("test_setup", key))
        kept = value if isinstance(value, int) else text[:MAX_VALUE_CHARS]
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
    """Read ``label: value`` lines; the first of a label counts. Labels are in lower case.

    ``separator`` is a character, or several of which the first in a line counts.
    """
    found: dict[str, str] = {}
    ends = re.compile(f"[{re.escape(separator)}]")
    for line in lines:
        label, mark, value = _cut(line[:MAX_LINE_CHARS], ends)
        key = labels.get(label.strip(' ~\t"').lower())
        text = cleaned(value.lstrip(separator)) if mark else ""
        if key and key not in found and text:
            found[key] = text
    return found


def _cut(line: str, ends: re.Pattern[str]) -> tuple[str, bool, str]:
    hit = ends.search(line)
    return (line, False, "") if hit is None else (line[: hit.start()], True, line[hit.end() :])


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
