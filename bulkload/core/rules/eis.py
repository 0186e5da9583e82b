"""Rules on impedance spectra: the sign of the imaginary part, the size of the real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Floats, Frame
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import FREQUENCY, Z_IM, Z_RE

#: Share of the arc (by its size) that must be positive for the sign to count as reversed.
REVERSED_FROM: Final = 0.75
#: Fewest points that make a spectrum.
MIN_POINTS: Final = 3
#: Ohmic resistance times capacity of a usual cell, in Ohm A.h: an order of magnitude.
RESISTANCE_TIMES_CAPACITY: Final = 0.05
#: How many times more or less than expected is still taken for plausible.
PLAUSIBLE_FACTOR: Final = 100.0


@dataclass(frozen=True, slots=True)
class EisColumns:
    """The names of the columns of a spectrum."""

    frequency: str = FREQUENCY
    real: str = Z_RE
    imaginary: str = Z_IM


def imaginary_part_is_negative(
    frame: Frame, columns: EisColumns | None = None, reversed_from: float = REVERSED_FROM
) -> list[ValidationIssue]:
    """Check that Im(Z) is negative along the capacitive arc."""
    columns = columns or EisColumns()
    names = (columns.frequency, columns.real, columns.imaginary)
    if not all(name in frame for name in names):
        return []
    found = _capacitive_arc(*(frame.numbers(name) for name in names))
    if found is None:
        return []
    arc, intercept = found
    total = float(np.abs(arc).sum())
    if total <= 0:
        return []
    positive = float(arc[arc > 0].sum()) / total
    if positive < reversed_from:
        return []
    message = (
        f"The sign of '{columns.imaginary}' is reversed: {positive:.0%} of the capacitive arc (by "
        f"its size) is positive, where Im(Z) is negative. Negate the column; the transform "
        f"negate_z_im does."
    )
    payload = {"positive_fraction": positive, "r0": intercept, "n_capacitive_points": len(arc)}
    return [ValidationIssue(IssueCode.EIS_ZIM_SIGN_REVERSED, message, payload=payload)]


def _capacitive_arc(
    frequency: Floats, real: Floats, imaginary: Floats
) -> tuple[Floats, float] | None:
    """Return Im(Z) at and below the frequency where Re(Z) is least, and that least Re(Z)."""
    finite = np.isfinite(frequency) & np.isfinite(real) & np.isfinite(imaginary)
    if np.count_nonzero(finite) < MIN_POINTS:
        return None
    order = np.argsort(frequency[finite])
    real, imaginary = real[finite][order], imaginary[finite][order]
    least = int(np.argmin(real))
    return imaginary[: least + 1], float(real[least])


def magnitude_is_plausible(
    frame: Frame,
    rated_capacity: float | None,
    factor: float = PLAUSIBLE_FACTOR,
    resistance_times_capacity: float = RESISTANCE_TIMES_CAPACITY,
    column: str = Z_RE,
) -> list[ValidationIssue]:
    """Check that the ohmic resistance is of the order that the capacity suggests."""
    if rated_capacity is None or rated_capacity <= 0 or column not in frame:
        return []
    real = frame.numbers(column)
    real = real[np.isfinite(real)]
    intercept = float(real.min()) if len(real) else 0.0
    expected = resistance_times_capacity / rated_capacity
    low, high = expected / factor, expected * factor
    if intercept <= 0 or low <= intercept <= high:
        return []
    message = (
        f"The ohmic resistance, the least '{column}', is {intercept:.3e} Ohm. A cell of "
        f"{rated_capacity:g} A.h has about {expected:.3e} Ohm, and {factor:g} times more or less "
        f"is the limit ({low:.3e} to {high:.3e} Ohm). Look for a wrong unit (mOhm, Ohm.cm2), or "
        f"a wrong rated capacity."
    )
    payload = {
        "r0": intercept,
        "r_expected": expected,
        "band_low": low,
        "band_high": high,
        "factor": float(factor),
        "r_times_q": float(resistance_times_capacity),
        "rated_capacity": float(rated_capacity),
    }
    return [
        ValidationIssue(IssueCode.EIS_IMPEDANCE_MAGNITUDE_IMPLAUSIBLE, message, payload=payload)
    ]
