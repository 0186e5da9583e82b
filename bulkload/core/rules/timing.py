"""Wall-clock times against the data: warnings, since such metadata is often approximate."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from bulkload.core.frame import Frame
from bulkload.core.groups import extremes
from bulkload.core.issues import IssueCode, Severity, ValidationIssue
from bulkload.core.terms import TIME

#: How far the stated duration may be from that of the data: the larger of these two.
TOLERANCE_FRACTION: Final = 0.05
TOLERANCE_S: Final = 60.0


def fits_wall_clock(
    start_time: datetime | str | None,
    end_time: datetime | str | None,
    frame: Frame | None = None,
    *,
    tolerance_fraction: float = TOLERANCE_FRACTION,
    tolerance_s: float = TOLERANCE_S,
    now: datetime | None = None,
) -> list[ValidationIssue]:
    """Warn of times in the future, out of order, or that do not fit the span of the data."""
    start, end = _parsed(start_time), _parsed(end_time)
    issues = []
    if start is not None and now is not None and _is_before(now, start):
        said = start.isoformat()
        issues.append(
            _warning(
                IssueCode.START_TIME_IN_FUTURE,
                f"start_time ({said}) is in the future. Look at the date, and at the time zone.",
                start_time=said,
            )
        )
    if end is not None and now is not None and _is_before(now, end):
        said = end.isoformat()
        issues.append(
            _warning(
                IssueCode.END_TIME_IN_FUTURE,
                f"end_time ({said}) is in the future. Leave it out while the test is running.",
                end_time=said,
            )
        )
    if start is None or end is None:
        return issues
    if _is_before(end, start):
        issues.append(
            _warning(
                IssueCode.END_TIME_BEFORE_START_TIME,
                f"end_time ({end.isoformat()}) is before start_time ({start.isoformat()}); Studio "
                f"refuses that.",
                start_time=start.isoformat(),
                end_time=end.isoformat(),
            )
        )
    return issues + _duration(start, end, frame, tolerance_fraction, tolerance_s)


def _duration(
    start: datetime, end: datetime, frame: Frame | None, fraction: float, floor_s: float
) -> list[ValidationIssue]:
    if frame is None or TIME not in frame or not frame.rows or _is_naive(start) != _is_naive(end):
        return []
    least, most = extremes(frame, TIME)
    span = most - least
    stated = (end - start).total_seconds()
    tolerance = max(floor_s, fraction * span)
    if not (stated >= 0 and span > 0 and abs(stated - span) > tolerance):
        return []
    return [
        _warning(
            IssueCode.DURATION_MISMATCH,
            f"By start_time and end_time the test took {stated:.0f} s, by '{TIME}' {span:.0f} s; "
            f"{tolerance:.0f} s apart is the limit. Look at the times, and whether the test "
            f"was paused or is stored in parts.",
            wall_clock_seconds=stated,
            data_span_seconds=span,
            tolerance_seconds=tolerance,
        )
    ]


def _parsed(value: datetime | str | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None


def _is_naive(time: datetime) -> bool:
    return time.tzinfo is None


def _is_before(one: datetime, other: datetime) -> bool:
    """Return whether ``one`` comes first; False where only one of them has a time zone."""
    return _is_naive(one) == _is_naive(other) and one < other


def _warning(code: IssueCode, message: str, **payload: Any) -> ValidationIssue:
    return ValidationIssue(code, message, Severity.WARNING, payload)
