"""The vendor's own validators as judge of ours: the same findings, figure for figure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
from ionworks import validators as official

from bulkload.core.issues import ExtraCode, ValidationIssue
from bulkload.core.rules import check
from bulkload.tables.frames import to_frame

#: Relative tolerance of figures, and of those out of the fit of the sign check.
TOLERANCE = 1e-6
FIT_TOLERANCE = 1e-3

Finding = tuple[str, str, Mapping[str, Any]]


class OfficialCrashError(Exception):
    """The vendor's validator broke off with a foreign exception: it has no verdict."""


def official_findings(table: Any, options: Mapping[str, Any]) -> list[Finding]:
    """Return what the vendor's client finds: errors as raised, then warnings."""
    findings: list[Finding] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            official.validate_measurement_data(table, **options)
        except official.MeasurementValidationError as error:
            findings = [(str(e.code), e.severity, e.payload) for e in error.errors]
        except Exception as error:
            raise OfficialCrashError(repr(error)) from error
    told = {str(w.message) for w in caught if w.category is UserWarning}
    findings += [
        (str(issue.code), issue.severity, issue.payload)
        for issue in _official_warnings(table, options)
        if issue.message in told
    ]
    return findings


def _official_warnings(table: Any, options: Mapping[str, Any]) -> list[Any]:
    """Return the warnings as records: the vendor's entry point gives their text alone."""
    found = []
    steps, rated = options.get("steps_df"), options.get("rated_capacity")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if steps is not None and rated is not None:
            found += official.validate_step_capacity_within_rated(steps, rated)
        if options.get("start_time") or options.get("end_time"):
            start, end = options.get("start_time"), options.get("end_time")
            found += official.validate_measurement_timing(start, end, table)
    return found


def our_findings(table: Any, options: Mapping[str, Any]) -> list[Finding]:
    """Return what we find, errors first, as the vendor's client reports them."""
    given = dict(options)
    steps = given.pop("steps_df", None)
    given["steps"] = None if steps is None else to_frame(steps)
    issues = check(to_frame(table), now=datetime.now(UTC), **given)
    issues.sort(key=_is_warning)
    return [(str(i.code), str(i.severity), i.payload) for i in issues]


def _is_warning(issue: ValidationIssue) -> bool:
    return issue.severity == "warning"


def difference(table: Any, options: Mapping[str, Any]) -> str | None:
    """Return how the two verdicts differ, None where they agree.

    Where the vendor's validator crashes there is no verdict; ours must name the column.
    """
    ours = our_findings(table, options)
    try:
        theirs = official_findings(table, options)
    except OfficialCrashError as crash:
        named = {ExtraCode.COLUMN_NOT_NUMERIC, ExtraCode.VALUE_NOT_FINITE}
        if named & {code for code, *_ in ours}:
            return None
        return f"official crashed ({crash}), ours found {ours}"
    if [(code, severity) for code, severity, _ in ours] != [(c, s) for c, s, _ in theirs]:
        return f"official {theirs}\nours     {ours}"
    for mine, other in zip(ours, theirs, strict=True):
        tolerance = FIT_TOLERANCE if mine[0].startswith("current_sign") else TOLERANCE
        if not same(mine[2], other[2], tolerance):
            return f"{mine[0]}: official {other[2]}\nours {mine[2]}"
    return None


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Return whether two payloads are equal: numbers within a tolerance, NaN like NaN."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            same(one[key], other[key], tolerance) for key in one
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(
            same(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float | int):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=1e-300)
    return type(one) is type(other) and bool(one == other)


def as_table(columns: Mapping[str, Any], library: str) -> Any:
    """Return columns as a pandas or polars table. In polars, NaN is null, as when read."""
    if library == "pandas":
        return pd.DataFrame(dict(columns))
    return pl.DataFrame(dict(columns)).fill_nan(None)
