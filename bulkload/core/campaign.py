"""What only all files of a cell together can show. Reported, never in the way of an upload.

A child that prepared a file hands back a ``FileSummary``, a few hundred bytes; the checks are
a pure function of the summaries of one cell.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import numpy as np

from bulkload.core.digest import signal_digest
from bulkload.core.frame import Floats, Frame, NotNumericError
from bulkload.core.sample import usual_size
from bulkload.core.steps import NotSummarisableError, summarise_steps
from bulkload.core.terms import CHARGE_CAPACITY, CURRENT, DISCHARGE_CAPACITY, TIME, VOLTAGE

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
#: Numbers longer than this are dates and serial numbers, not the place in a series.
MAX_NUMBER_DIGITS: Final = 5
#: Share of the charge moved, for less against, from which the sign of a file is clear.
CLEAR_BALANCE: Final = 0.5
#: Relative agreement of the figures of two files that hold the same data, rounded otherwise.
SAME_FIGURES: Final = 1e-5
#: Bits of a scrambled row number, each of which gives a signal's values other signs.
SIGN_BITS: Final = (31, 29, 27, 25, 23, 21)


class CampaignCode(StrEnum):
    """What a finding over the files of a cell says."""

    SAME_DATA = "same_data"
    SPANS_OVERLAP = "spans_overlap"
    SIGN_DIFFERS = "sign_differs"
    UNIT_DIFFERS = "unit_differs"
    CAPACITY_JUMPS = "capacity_jumps"
    FILE_MISSING = "file_missing"


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What the campaign checks need to know of one file."""

    #: The name of the measurement.
    name: str
    rows: int
    #: Digest of time, voltage and current: see ``signal_digest``.
    digest: str
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
    #: Size and signed sums of each signal: they differ between files that differ.
    figures: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignFinding:
    """A finding, the files it concerns, and its figures."""

    code: CampaignCode
    message: str
    names: tuple[str, ...]
    payload: dict[str, Any] = field(default_factory=dict)


def summarise_file(
    frame: Frame, name: str, start: datetime | None = None, steps: Frame | None = None
) -> FileSummary:
    """Return what the campaign checks need to know of a file.

    ``steps`` is its step summary, where that has been made already.
    """
    time = frame.numbers(TIME) if frame.is_numeric(TIME) else np.empty(0)
    span = float(np.fmax.reduce(time) - np.fmin.reduce(time)) if np.isfinite(time).any() else 0.0
    signals = [n for n in (TIME, VOLTAGE, CURRENT) if frame.is_numeric(n)]
    if steps is None:
        steps = _steps(frame)
    return FileSummary(
        name=name,
        rows=frame.rows,
        digest=signal_digest(frame),
        start=start,
        span_s=span,
        voltage=_usual(frame, VOLTAGE),
        current=_usual(frame, CURRENT),
        sign=None if steps is None else _sign(steps),
        capacity=None if steps is None else _capacity(steps),
        figures=tuple(f for n in signals for f in _figures(frame.numbers(n))),
    )


def _steps(frame: Frame) -> Frame | None:
    try:
        return summarise_steps(frame)
    except (NotSummarisableError, NotNumericError):
        return None


def check_campaign(files: Iterable[FileSummary]) -> list[CampaignFinding]:
    """Return what the files of one cell show together."""
    ordered = sorted(files, key=lambda file: _number_key(file.name))
    findings = _same_data(ordered)
    copies = {name for finding in findings for name in finding.names[1:]}
    single = [file for file in ordered if file.name not in copies]
    findings += _overlaps(single)
    findings += _odd_signs(single)
    findings += _odd_units(single)
    findings += _capacity_jumps(single)
    findings += _missing(ordered)
    return findings


def _usual(frame: Frame, column: str) -> float | None:
    return (usual_size(frame.numbers(column)) or None) if frame.is_numeric(column) else None


def _sign(steps: Frame) -> int | None:
    """Judge the sign by the ends of the steps: the voltage falls where current discharges.

    Coarser than the rule on the sign of current, but it speaks where a missing value keeps
    the rule silent.
    """
    current, duration = steps.numbers("Mean current [A]"), steps.numbers("Duration [s]")
    rise = steps.numbers("End voltage [V]") - steps.numbers("Start voltage [V]")
    moved = np.nan_to_num(np.abs(current) * duration * np.abs(np.sign(rise)))
    total = float(moved.sum())
    if total <= 0:
        return None
    balance = float((moved * np.nan_to_num(-np.sign(current) * np.sign(rise))).sum()) / total
    return int(np.sign(balance)) if abs(balance) >= CLEAR_BALANCE else None


def _capacity(steps: Frame) -> float | None:
    gains = [np.abs(steps.numbers(name)) for name in (DISCHARGE_CAPACITY, CHARGE_CAPACITY)]
    known = np.concatenate(gains)
    known = known[np.isfinite(known)]
    return float(known.max()) if len(known) and known.max() > 0 else None


def _figures(values: Floats) -> tuple[float, ...]:
    """Return the size of a signal, and its sums under signs that look drawn by chance.

    Rounding moves such a sum by its own size times the root of the rows; so does noise, and two
    tests that follow the same protocol differ by their noise where they differ by nothing else.
    One sum may agree by chance, all of them hardly.
    """
    known = values[np.isfinite(values)]
    mixed = np.arange(len(known), dtype=np.uint32) * np.uint32(2654435761)
    sums = (np.dot(known, 1.0 - 2.0 * ((mixed >> bit) & 1)) for bit in SIGN_BITS)
    return float(np.sqrt(np.dot(known, known))), *map(float, sums)


def _same_data(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    """Find files of equal rows whose digests agree, or all of whose figures do."""
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
        message = f"{_listed(names)} hold the same {group[0].rows} rows."
        findings.append(CampaignFinding(CampaignCode.SAME_DATA, message, names))
    return findings


def _is_same(one: FileSummary, other: FileSummary) -> bool:
    if not one.rows:
        return False
    if one.digest == other.digest:
        return True
    if not len(one.figures) == len(other.figures) > 0 or one.rows < 2:
        return False
    # One row a signal: its size, then its sums. All may differ by a share of the size.
    mine, yours = (np.reshape(file.figures, (-1, 1 + len(SIGN_BITS))) for file in (one, other))
    return bool(np.all(np.abs(mine - yours) <= SAME_FIGURES * mine[:, :1]))


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
            f"{file.name!r} has the other sign of current than {len(clear) - len(odd)} files of "
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
        middle = float(np.median([value for _, value in known]))
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


def _missing(files: Sequence[FileSummary]) -> list[CampaignFinding]:
    """Find holes in series of names that differ in one number."""
    series: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for file in files:
        for match in re.finditer(r"\d+", file.name):
            if len(match.group()) <= MAX_NUMBER_DIGITS:
                around = file.name[: match.start()], file.name[match.end() :]
                series[around][int(match.group())] = file.name
    findings = []
    for (head, tail), members in series.items():
        numbers = sorted(members)
        gaps = [n for a, b in pairwise(numbers) for n in range(a + 1, min(b, a + 1 + len(numbers)))]
        if len(numbers) <= MIN_SIBLINGS or not gaps:
            continue
        if len(gaps) <= MAX_MISSING_SHARE * len(numbers):
            shown = ", ".join(map(str, gaps))
            message = (
                f"The files '{head}*{tail}' go from {numbers[0]} to {numbers[-1]} without {shown}."
            )
            names = tuple(members[number] for number in numbers)
            payload = {"missing": gaps}
            findings.append(CampaignFinding(CampaignCode.FILE_MISSING, message, names, payload))
    return findings


def _number_key(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts names with numbers by the numbers' value."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts]


def _listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(map(repr, names[:-1])), repr(names[-1])))
