"""The sign of current, settled by evidence: mode column, capacity columns, the format, the fit.

The strongest evidence that the file has decides; what it was is stated in the provenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.frame import Frame
from bulkload.core.issues import IssueCode
from bulkload.core.rules.sign import positive_is_discharge
from bulkload.errors import UnreadableError
from bulkload.readers.derive import SWEEP_HZ, step_count
from bulkload.readers.dialect import Dialect, Sign

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.generic]

#: Part of the charge moved that must agree before a column counts as proof.
CLEAR_SHARE: Final = 0.75

#: Share of the largest current below which a row is no witness to the sign, and its bound in A.
REST_SHARE: Final = 1e-2
REST_A: Final = 1e-3

#: Parts of a stretch of current whose mean voltages are compared.
RUN_BLOCKS: Final = 16

#: Rows of a stretch of current that say its direction, and the least jump of voltage that does.
MIN_RUN_ROWS: Final = 3
CLEAR_JUMP_V: Final = 1e-3

#: Change from row to row, as a share of the current, up to which the current is held.
HELD_SHARE: Final = 1e-2

#: Travel of the voltage against its main direction, as a share of the other, that is no noise.
BOTH_WAYS_SHARE: Final = 0.25

_FIT: Final = "fit of the voltage"

#: A word, in upper case, with no letter before or behind it: ``DÉCHARGE`` is no ``CHARGE``.
_WORD: Final = r"^(?:.*[^A-ZÀ-Þ])?(?:{})(?:[^A-ZÀ-Þ].*)?$"
_DISCHARGE: Final = r"^D$|放电|放電|방전|" + _WORD.format(
    "D_?C(?:HG?|HA|HRG)?|DCHG|DCHRG|DISCHARGE|DISCHARGING|DISCHG|DIS|ENTLADEN|ENTLADUNG|ENTL"
    "|D[EÉ]CHARGE|DESCARGA|SCARICA|ONTLADEN"
)
_CHARGE: Final = r"^C$|充电|充電|충전|" + _WORD.format(
    "CHG|CHA|CHRG|CHARGE|CHARGING|CHAR|LADEN|LADUNG|AUFLADEN|CARGA|CARICA|OPLADEN"
)


class Settled(NamedTuple):
    """The current with its sign, and what settled it."""

    current: Floats
    code: DecisionCode
    statement: str
    #: What settled it, in a few words.
    evidence: str
    #: Rows whose current is another number than the file's.
    rows: int = 0


def settle(
    columns: Mapping[str, Values], mode: pa.ChunkedArray | None, dialect: Dialect
) -> Settled:
    """Return the current with positive for discharge, and the evidence for it."""
    current = np.asarray(columns[terms.CURRENT], dtype=np.float64)
    moving = np.abs(current) > _rest(current)
    if not moving.any():
        return _kept(current, "no current flows: its sign says nothing", "no current")
    charging, discharging = _labels(mode, len(current))
    if _one_signed(current[moving]):
        settled = _magnitudes(current, charging, discharging, moving)
        if settled is not None:
            return settled
    for vote in (
        _by_mode(current, charging, discharging),
        _by_capacity(columns, current, dialect),
        _by_format(dialect.sign),
    ):
        if vote is not None:
            return _oriented(current, vote)
    return _by_fit(columns, current, unsigned=_one_signed(current[moving]))


def _rest(current: Floats) -> float:
    return min(REST_A, REST_SHARE * float(np.nanmax(np.abs(current), initial=0.0)))


def _one_signed(current: Floats) -> bool:
    return bool((current > 0).all() or (current < 0).all())


class _Vote(NamedTuple):
    """What one witness says of the sign."""

    positive_is_charge: bool
    evidence: str
    #: Its figures, for people.
    detail: str


def _oriented(current: Floats, vote: _Vote) -> Settled:
    if vote.positive_is_charge:
        return _negated(current, f"positive current was charge ({vote.detail})", vote.evidence)
    return _kept(current, f"positive current is discharge ({vote.detail}): kept", vote.evidence)


def _negated(current: Floats, statement: str, evidence: str) -> Settled:
    rows = int(np.count_nonzero(current))
    return Settled(-current, DecisionCode.CURRENT_NEGATED, f"{statement}: negated", evidence, rows)


def _kept(current: Floats, statement: str, evidence: str) -> Settled:
    return Settled(current, DecisionCode.CURRENT_KEPT, statement, evidence)


def _signed(before: Floats, after: Floats, how: str, evidence: str) -> Settled:
    rows = int(np.count_nonzero(before != after))
    return Settled(
        after, DecisionCode.CURRENT_SIGNED, f"current without a sign: signed {how}", evidence, rows
    )


def _labels(
    mode: pa.ChunkedArray | None, rows: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return from the mode which rows charge and which discharge."""
    if mode is None:
        return np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    coded = mode.combine_chunks().dictionary_encode()
    names = pc.utf8_upper(pc.utf8_trim_whitespace(coded.dictionary))
    is_discharge = pc.match_substring_regex(names, _DISCHARGE)
    is_charge = pc.and_not(pc.match_substring_regex(names, _CHARGE), is_discharge)
    index = coded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return _taken(is_charge, index), _taken(is_discharge, index)


def _taken(flags: pa.BooleanArray, index: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    known = np.append(flags.fill_null(False).to_numpy(zero_copy_only=False), False).astype(bool)
    return np.asarray(known[index], dtype=bool)


def _magnitudes(
    current: Floats,
    charging: npt.NDArray[np.bool_],
    discharging: npt.NDArray[np.bool_],
    moving: npt.NDArray[np.bool_],
) -> Settled | None:
    """Sign currents of one sign by the mode, where it tells the direction of all that move."""
    labelled = charging | discharging
    both = (charging & moving).any() and (discharging & moving).any()
    if not labelled.any() or not (both or labelled[moving].all()):
        return None
    size = np.abs(current)
    signed = np.where(charging, -size, np.where(discharging, size, current))
    return _signed(current, signed, "by the mode column", "mode column")


def _by_mode(
    current: Floats, charging: npt.NDArray[np.bool_], discharging: npt.NDArray[np.bool_]
) -> _Vote | None:
    moved = np.where(charging, current, np.where(discharging, -current, 0.0))
    return _verdict(moved, "mode column")


def _by_capacity(columns: Mapping[str, Values], current: Floats, dialect: Dialect) -> _Vote | None:
    """Weigh the current with the growth of the charge and discharge capacity columns."""
    there = ((c, d) for c, d in dialect.totals if c in columns and d in columns)
    charge, discharge = next(there, (None, None))
    if charge is None or discharge is None:
        return None
    growth = _growth(columns[charge]) - _growth(columns[discharge])
    return _verdict(np.sign(growth) * current, "charge and discharge capacity columns")


def _growth(total: Values) -> Floats:
    values = np.asarray(total, dtype=np.float64)
    return np.maximum(np.nan_to_num(np.diff(values, prepend=values[:1])), 0.0)


def _verdict(for_charge: Floats, evidence: str) -> _Vote | None:
    """Return the direction where the witnesses agree clearly, None where they do not."""
    total = float(np.nansum(np.abs(for_charge)))
    if total <= 0.0:
        return None
    share = float(np.nansum(np.maximum(for_charge, 0.0))) / total
    if share >= CLEAR_SHARE:
        return _Vote(True, evidence, f"{evidence}, {share:.0%} agreeing")
    if share <= 1.0 - CLEAR_SHARE:
        return _Vote(False, evidence, f"{evidence}, {1.0 - share:.0%} agreeing")
    return None


def _by_format(stated: Sign) -> _Vote | None:
    if stated is Sign.CHARGE_POSITIVE:
        return _Vote(True, "format", "laid down by the format")
    if stated is Sign.DISCHARGE_POSITIVE:
        return _Vote(False, "format", "laid down by the format")
    return None


def _by_fit(columns: Mapping[str, Values], current: Floats, *, unsigned: bool) -> Settled:
    """Ask the voltage: it falls as the cell is discharged."""
    rows = _cycling(columns)
    is_cycling = bool((np.abs(current[rows]) > _rest(current)).any())
    if not is_cycling:
        # Only a sweep carries current. The small direct current of a sweep at rest is near to
        # noise: the fit, which validation asks as well, is the only witness that there is.
        rows = np.arange(len(current))
    steps = step_count(columns)[rows]
    voltage = np.asarray(columns[terms.VOLTAGE], dtype=np.float64)[rows]
    time = np.asarray(columns[terms.TIME], dtype=np.float64)[rows]
    if not np.isfinite(np.concatenate([time, voltage, current[rows]])).all():
        return _kept(current, "values that are not finite hide the sign of current: kept", "none")
    if unsigned and is_cycling and _goes_both_ways(voltage, current[rows]):
        _refuse_both_ways(voltage, current[rows], steps)
        return _each_step(time, voltage, current, rows, steps)
    verdict = _fit(time, voltage, current[rows], steps)
    if verdict is None:
        return _oriented(current, _Vote(False, _FIT, _FIT))
    if verdict == IssueCode.CURRENT_SIGN_REVERSED:
        return _oriented(current, _Vote(True, _FIT, _FIT))
    if unsigned:
        return _each_step(time, voltage, current, rows, steps)
    return _kept(current, f"the {_FIT} does not settle the sign of current: kept", "none")


def _cycling(columns: Mapping[str, Values]) -> npt.NDArray[np.intp]:
    """Rows that belong to no impedance sweep."""
    rows = np.arange(len(columns[terms.CURRENT]))
    if terms.FREQUENCY not in columns:
        return rows
    frequency = np.nan_to_num(np.asarray(columns[terms.FREQUENCY], dtype=np.float64))
    return rows[frequency <= SWEEP_HZ]


def _fit(time: Floats, voltage: Floats, current: Floats, steps: Values) -> str | None:
    frame = Frame.of(
        {
            terms.TIME: time,
            terms.VOLTAGE: voltage,
            terms.CURRENT: current,
            terms.STEP_COUNT: steps,
        }
    )
    issues = positive_is_discharge(frame)
    return issues[0].code if issues else None


def _goes_both_ways(voltage: Floats, current: Floats) -> bool:
    """Return whether the voltage rises and falls under a current that has but one sign.

    A discharge, a charge, pulses of one direction: the voltage travels one way. Where it travels
    the other way too, the numbers are magnitudes, and one sign for all of them is wrong.
    """
    rise = fall = 0.0
    directions = set()
    # Held currents only: in a voltammogram a current of one sign under both sweeps is real.
    change = np.abs(np.diff(current))
    is_held = np.append(change, np.inf) <= HELD_SHARE * np.abs(current)
    is_held[1:] |= change <= HELD_SHARE * np.abs(current[1:])
    moving = np.flatnonzero((np.abs(current) > _rest(current)) & is_held)
    if not moving.size:
        return False
    for run in np.split(moving, np.flatnonzero(np.diff(moving) > 1) + 1):
        directions.add(_direction(voltage, run))
        # Blocks even out noise and the pulses of a profile.
        blocks = np.array_split(voltage[run], min(RUN_BLOCKS, len(run)))
        travel = np.diff([block.mean() for block in blocks])
        rise += float(travel[travel > 0.0].sum())
        fall -= float(travel[travel < 0.0].sum())
    return {1, -1} <= directions or min(rise, fall) > BOTH_WAYS_SHARE * max(rise, fall)


def _refuse_both_ways(voltage: Floats, current: Floats, steps: Values) -> None:
    """Raise ``UnreadableError`` where a step of magnitudes holds both directions."""
    for step in np.unique(steps):
        inside = steps == step
        if _goes_both_ways(voltage[inside], current[inside]):
            raise UnreadableError(
                f"all currents have one sign, and the voltage of step {step} both rises and "
                "falls: nothing says which rows charge; export the file with a signed current, or "
                "with a column that names charge and discharge",
                cause="unknown_sign",
            )


def _direction(voltage: Floats, run: npt.NDArray[np.intp]) -> int:
    """Return 1 where a stretch of current charges, -1 where it discharges, 0 where that is open.

    The voltage jumps as the current sets in, and does not travel back.
    """
    if len(run) < MIN_RUN_ROWS or run[0] == 0:
        return 0
    onset = voltage[run[0]] - voltage[run[0] - 1]
    travel = voltage[run[-1]] - voltage[run[0]]
    if abs(onset) < CLEAR_JUMP_V or travel * np.sign(onset) < 0.0:
        return 0
    return int(np.sign(onset))


def _each_step(
    time: Floats,
    voltage: Floats,
    current: Floats,
    rows: npt.NDArray[np.intp],
    steps: Values,
) -> Settled:
    """Sign magnitudes step by step: each step's voltage tells its direction."""
    signed = current.copy()
    for step in np.unique(steps):
        inside = steps == step
        if _fit(time[inside], voltage[inside], current[rows[inside]], steps[inside]) is not None:
            signed[rows[inside]] *= -1.0
    return _signed(current, signed, f"step by step by the {_FIT}", _FIT)
