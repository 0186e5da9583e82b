"""What only all files of a cell together can show. Reported, never in the way of an upload.

A child that prepared a file hands back a ``FileSummary``, a few hundred bytes; the checks are
a pure function of the summaries of one cell.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Any, Final

#: How far two recordings may overlap by the rounding of clocks and start times.
OVERLAP_TOLERANCE: Final = timedelta(seconds=60)
#: A file this many times off the middle of its siblings is in another unit. Currents of one
#: cell differ by up to a few hundred times between tests, units by a thousand.
UNIT_FACTOR: Final = 500.0
#: Fewest siblings whose middle says what is usual.
MIN_SIBLINGS: Final = 2
#: Capacity this many times above all earlier files is another cell's.
CAPACITY_JUMP: Final = 1.25
#: How close two earlier files must be for their capacity to count as the cell's.
CAPACITY_AGREES: Final = 0.8
#: At most this share of the numbers of a series may be missing for it to be a series.
MAX_MISSING_SHARE: Final = 0.5
#: Names, or numbers, that a message lists.
MAX_LISTED: Final = 5
#: Numbers longer than this are dates and serial numbers, not the place in a series.
MAX_NUMBER_DIGITS: Final = 5
#: Relative agreement of the figures of two files that hold the same data, rounded otherwise.
SAME_FIGURES: Final = 1e-5


class CampaignCode(StrEnum):
    """What a finding over the files of a cell says."""

    #: Two measurements hold the same content, whatever their names, columns or digits.
    SAME_DATA = "same_data"
    #: Two measurements of one cell cover the same time.
    SPANS_OVERLAP = "spans_overlap"
    #: A file has the opposite sign of current to most files of its cell.
    SIGN_DIFFERS = "sign_differs"
    #: A file's values are a power of ten away from those of its siblings.
    UNIT_DIFFERS = "unit_differs"
    #: A step moves far more charge than the files before: perhaps the file of another cell.
    CAPACITY_JUMPS = "capacity_jumps"
    #: Numbered names have a gap.
    FILE_MISSING = "file_missing"


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What the campaign checks need to know of one file."""

    #: The name of the measurement.
    name: str
    rows: int
    #: When it began, where known, and the span of its time.
    start: datetime | None = None
    span_s: float = 0.0
    #: Usual size of voltage and current (95th percentile of the magnitude), None where unknown.
    voltage: float | None = None
    current: float | None = None
    #: 1 where positive current discharges, -1 where it charges, None where unclear.
    sign: int | None = None
    #: The most that one step discharged or charged, in A.h.
    capacity: float | None = None
    #: Size and signed sums of each signal: a digest that rounding, the order of columns and
    #: further columns do not change, and that differs between files that differ.
    figures: tuple[tuple[float, ...], ...] = ()


def summary_to_text(summary: FileSummary) -> str:
    """Return a file's summary as JSON: a few hundred bytes."""
    values = {one.name: getattr(summary, one.name) for one in fields(summary)}
    start = None if summary.start is None else summary.start.isoformat()
    return json.dumps(values | {"start": start})


def summary_from_text(text: str) -> FileSummary:
    """Return the summary that ``summary_to_text`` wrote."""
    values = json.loads(text)
    start = values["start"]
    return FileSummary(
        **values
        | {
            "start": None if start is None else datetime.fromisoformat(start),
            "figures": tuple(map(tuple, values["figures"])),
        }
    )


@dataclass(frozen=True, slots=True)
class CampaignFinding:
    """A finding, the files it concerns, and its figures."""

    code: CampaignCode
    message: str
    names: tuple[str, ...]
    payload: dict[str, Any] = field(default_factory=dict)


def check_campaign(
    files: Iterable[FileSummary], planned: Iterable[str] = ()
) -> list[CampaignFinding]:
    """Return what the files of one cell show together.

    ``planned`` are the names of all its measurements: of those that were not read (they are in
    Studio already, or were rejected) nothing but the name is known, and none of them is missing.
    """
    ordered = sorted(files, key=lambda file: _number_key(file.name))
    findings = _same_data(ordered)
    copies = {name for finding in findings for name in finding.names[1:]}
    single = [file for file in ordered if file.name not in copies]
    findings += _overlaps(single)
    findings += _odd_signs(single)
    findings += _odd_units(single)
    findings += _capacity_jumps(single)
    findings += _missing({*planned, *(file.name for file in ordered)})
    return findings


def _same_data(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    """Find files of equal rows all of whose figures agree."""
    groups: dict[int, list[list[FileSummary]]] = defaultdict(list)
    for file in files:
        for group in groups[file.rows]:
            if _is_same(group[0], file):
                group.append(file)
                break
        else:
            groups[file.rows].append([file])
    findings = []
    for group in (group for alike in groups.values() for group in alike if len(group) > 1):
        names = tuple(file.name for file in group)
        message = f"{_listed(list(map(repr, names)))} hold the same {group[0].rows} rows."
        findings.append(CampaignFinding(CampaignCode.SAME_DATA, message, names))
    return findings


def _is_same(one: FileSummary, other: FileSummary) -> bool:
    if not one.figures or len(one.figures) != len(other.figures):
        return False
    if one.rows == 1:
        return one.figures == other.figures
    # Each sum may differ by a share of the signal's size.
    return all(
        abs(mine - yours) <= SAME_FIGURES * signal[0]
        for signal, its_twin in zip(one.figures, other.figures, strict=True)
        for mine, yours in zip(signal, its_twin, strict=True)
    )


def _overlaps(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    """Find files that cover the same time; each is held against the latest end before it."""
    dated = [(file.start, file) for file in files if file.start is not None]
    findings = []
    for aware in (True, False):
        known = [pair for pair in dated if (pair[0].tzinfo is not None) == aware]
        known.sort(key=lambda pair: pair[0])
        latest: tuple[datetime, FileSummary] | None = None
        for start, file in known:
            end = start + timedelta(seconds=file.span_s)
            if latest is not None and latest[0] - start > OVERLAP_TOLERANCE:
                shared = min(latest[0], end) - start
                findings.append(_overlap(latest[1], file, shared.total_seconds()))
            if latest is None or end > latest[0]:
                latest = end, file
    return findings


def _overlap(one: FileSummary, other: FileSummary, shared_s: float) -> CampaignFinding:
    message = (
        f"{one.name!r} and {other.name!r} cover the same {shared_s:.0f} s. One cell cannot be on "
        f"two tests at once: look at the start times, and whose files these are."
    )
    names, payload = (one.name, other.name), {"seconds": shared_s}
    return CampaignFinding(CampaignCode.SPANS_OVERLAP, message, names, payload)


def _odd_signs(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    clear = [file for file in files if file.sign is not None]
    total = sum(file.sign or 0 for file in clear)
    odd = [file for file in clear if total and (file.sign or 0) * total < 0]
    if len(clear) - len(odd) < MIN_SIBLINGS:
        return []
    return [
        CampaignFinding(
            CampaignCode.SIGN_DIFFERS,
            f"{file.name!r} has the opposite sign of current to {len(clear) - len(odd)} files of "
            f"this cell.",
            (file.name,),
        )
        for file in odd
    ]


def _odd_units(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    findings = []
    for quantity in ("voltage", "current"):
        known = [(file, getattr(file, quantity)) for file in files if getattr(file, quantity)]
        if len(known) <= MIN_SIBLINGS:
            continue
        middle = median(value for _, value in known)
        for file, value in known:
            ratio = value / middle
            if not 1 / UNIT_FACTOR < ratio < UNIT_FACTOR:
                message = (
                    f"The {quantity} of {file.name!r} is {ratio:.3g} times that of its siblings: "
                    f"another unit?"
                )
                payload = {"quantity": quantity, "value": value, "usual": middle}
                findings.append(
                    CampaignFinding(CampaignCode.UNIT_DIFFERS, message, (file.name,), payload)
                )
    return findings


def _capacity_jumps(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    """Find files of more capacity than at least two earlier ones agree on."""
    known = [(file, file.capacity) for file in _in_time(files) if file.capacity]
    findings = []
    for position, (file, capacity) in enumerate(known):
        before = sorted((value for _, value in known[:position]), reverse=True)
        if len(before) < MIN_SIBLINGS or before[1] < CAPACITY_AGREES * before[0]:
            continue
        if capacity > CAPACITY_JUMP * before[0]:
            message = (
                f"{file.name!r} moves {capacity:.4g} A.h in one step, the files before it at most "
                f"{before[0]:.4g} A.h: the file of another cell?"
            )
            payload = {"capacity": capacity, "before": before[0]}
            findings.append(
                CampaignFinding(CampaignCode.CAPACITY_JUMPS, message, (file.name,), payload)
            )
    return findings


def _in_time(files: Sequence[FileSummary]) -> list[FileSummary]:
    """Return the files in the order of their start; of their names where one has no start."""
    dated = [(file.start, file) for file in files if file.start is not None]
    if len(dated) < len(files) or len({start.tzinfo is None for start, _ in dated}) > 1:
        return list(files)
    return [file for _, file in sorted(dated, key=lambda pair: pair[0])]


def _missing(names: Iterable[str]) -> list[CampaignFinding]:
    """Find holes in series of names that differ in one number."""
    series: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for name in sorted(names, key=_number_key):
        for match in re.finditer(r"\d+", name):
            if len(match.group()) <= MAX_NUMBER_DIGITS:
                around = name[: match.start()], name[match.end() :]
                series[around][int(match.group())] = name
    findings = []
    for (head, tail), members in series.items():
        numbers = sorted(members)
        gaps = [n for a, b in pairwise(numbers) for n in range(a + 1, min(b, a + 1 + len(numbers)))]
        if len(numbers) <= MIN_SIBLINGS or not gaps:
            continue
        if len(gaps) <= MAX_MISSING_SHARE * len(numbers):
            message = (
                f"The files '{head}*{tail}' go from {numbers[0]} to {numbers[-1]} without "
                f"{_listed(list(map(str, gaps)))}."
            )
            siblings = tuple(members[number] for number in numbers)
            payload = {"missing": gaps}
            findings.append(CampaignFinding(CampaignCode.FILE_MISSING, message, siblings, payload))
    return findings


def _number_key(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts names with numbers by the numbers' value."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts]


def _listed(words: Sequence[str]) -> str:
    """Join words for a message; the finding itself has all of them."""
    if len(words) > MAX_LISTED:
        words = [*words[:MAX_LISTED], f"{len(words) - MAX_LISTED:,} more"]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
