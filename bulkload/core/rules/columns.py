"""The columns that open-circuit potentials and impedance spectra must have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bulkload.core.frame import Frame
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import CAPACITY, FREQUENCY, SOC, STOICHIOMETRY, VOLTAGE, Z_IM, Z_RE

#: What an open-circuit potential may be plotted against.
OCP_X_AXES: Final = (CAPACITY, STOICHIOMETRY, SOC)
EIS_COLUMNS: Final = (FREQUENCY, Z_RE, Z_IM)


def ocp_columns(frame: Frame) -> list[ValidationIssue]:
    """Check that there is a voltage, and something to plot it against."""
    issues = []
    available = list(frame.names)
    if VOLTAGE not in frame:
        message = f"Open-circuit data need '{VOLTAGE}'. Columns found: {', '.join(available)}."
        payload: dict[str, object] = {"available_columns": available}
        issues.append(
            ValidationIssue(IssueCode.OCP_VOLTAGE_COLUMN_MISSING, message, payload=payload)
        )
    if not any(name in frame for name in OCP_X_AXES):
        message = (
            f"Open-circuit data need one of {', '.join(map(repr, OCP_X_AXES))} beside the "
            f"voltage. Columns found: {', '.join(available)}."
        )
        payload = {"candidates": list(OCP_X_AXES), "available_columns": available}
        issues.append(
            ValidationIssue(IssueCode.OCP_X_AXIS_COLUMN_MISSING, message, payload=payload)
        )
    return issues


def eis_columns(frame: Frame, required: Sequence[str] = EIS_COLUMNS) -> list[ValidationIssue]:
    """Check that there is a frequency and both parts of the impedance."""
    missing = [name for name in required if name not in frame]
    if not missing:
        return []
    available = list(frame.names)
    message = (
        f"An impedance spectrum needs {', '.join(map(repr, required))}; missing: "
        f"{', '.join(map(repr, missing))}. Columns found: {', '.join(available)}."
    )
    payload = {"required": list(required), "missing": missing, "available_columns": available}
    return [ValidationIssue(IssueCode.EIS_COLUMNS_MISSING, message, payload=payload)]
