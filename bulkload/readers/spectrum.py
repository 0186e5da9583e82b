"""Impedance spectra without voltage and current: frequency and impedance, and nothing derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.derive import SWEEP_HZ
from bulkload.readers.dialect import PHASE_NEGATED, Z_IM_NEGATED, ColumnRule, Dialect
from bulkload.readers.fetching import fetch_raw
from bulkload.readers.header_fields import grouped
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.reading import Reading
from bulkload.readers.table_source import Grid
from bulkload.readers.units import folded_name

#: Different frequencies, over at least a decade, that make a sweep.
SWEEP_POINTS: Final = 5
DECADE: Final = 10.0

MODULUS: Final = "Z_Mod [Ohm]"
PHASE: Final = "Z_Phase [deg]"

#: What programs call the columns of a spectrum, folded.
FREQUENCIES: Final = ("freq", "frequency", "f", "frequenz", "fréquence", "frecuencia", "频率")
ANGULAR: Final = ("omega", "ω", "angular frequency", "kreisfrequenz")
REALS: Final = (
    *("z'", "zre", "z re", "re(z)", "zreal", "z real", "z real part", "real", "real(z)", "z'(a)"),
    *("zr", "z1", "rez", "re z", "z r", "realteil", "partie réelle", "parte real", "实部"),
    *("实部阻抗", "阻抗实部"),
)
IMAGINARIES: Final = (
    *('z"', "z''", "zim", "z im", "im(z)", "zimg", "zimag", "z imag", "imag", "imag(z)", "z''(b)"),
    *(
        "z\u2019\u2019",
        "z\u201d",
        "zi",
        "z2",
        "imz",
        "im z",
        "imaginary",
        "z imaginary part",
        "imaginärteil",
        "partie imaginaire",
        "parte imaginaria",
        "虚部",
        "虚部阻抗",
        "阻抗虚部",
    ),
)
NEGATED: Final = tuple(f"-{name}" for name in IMAGINARIES)
MODULI: Final = (
    "|z|",
    "z",
    "zmod",
    "z mod",
    "mod(z)",
    "impedance",
    "impedanz",
    "z modulus",
    "betrag",
    "impédance",
    "impedancia",
    "阻抗",
    "阻抗模",
)
PHASES: Final = (
    "phase",
    "phase(z)",
    "zphz",
    "phz",
    "theta",
    "phi",
    "phase angle",
    "phase of z",
    "phasenwinkel",
    "fase",
    "相位",
    "相位角",
)
NEGATED_PHASES: Final = tuple(f"-{name}" for name in PHASES)

#: Columns of a spectrum in a table of any origin: the unit is unknown where it states none.
SPECTRAL: Final = (
    ColumnRule(terms.FREQUENCY, FREQUENCIES, needs_unit=True),
    ColumnRule(terms.Z_RE, REALS, needs_unit=True),
    ColumnRule(terms.Z_IM, IMAGINARIES, needs_unit=True),
    ColumnRule(Z_IM_NEGATED, NEGATED, needs_unit=True),
    ColumnRule(MODULUS, MODULI, needs_unit=True),
    ColumnRule(PHASE, PHASES, needs_unit=True),
    ColumnRule(PHASE_NEGATED, NEGATED_PHASES, needs_unit=True),
)

_LEADING: Final = (terms.TIME, terms.FREQUENCY, terms.Z_RE, terms.Z_IM)
_QUANTITIES: Final = (terms.FREQUENCY, terms.Z_RE, terms.Z_IM, MODULUS, PHASE)


def read_spectrum(
    grid: Grid,
    dialect: Dialect,
    name: str,
    prepare: Callable[[Raw], None] | None = None,
) -> Reading:
    """Read a table of frequencies and impedances.

    The impedance is its two parts as the file has them, or made of modulus and phase. Raises
    ``UnreadableError`` where the file has neither, or a frequency is no positive number.
    """
    raw = fetch_raw(grid, dialect, name)
    rows_read = raw.rows
    if prepare is not None:
        prepare(raw)
    in_parts(raw)
    lacking = [c for c in (terms.FREQUENCY, terms.Z_RE, terms.Z_IM) if c not in raw.columns]
    if lacking:
        raise UnreadableError(
            f"{name}: no column for {' and '.join(map(repr, lacking))} in this spectrum; export "
            "it with frequency and both parts of the impedance",
            cause="missing_column",
        )
    _leave_out_gaps(raw)
    frequency = np.asarray(raw.columns[terms.FREQUENCY], dtype=np.float64)
    if not bool((frequency > SWEEP_HZ).all()):
        row = int(np.flatnonzero(~(frequency > SWEEP_HZ))[0])
        raise UnreadableError(
            f"{name}, row {row + 1} of the table: a frequency of {frequency[row]:g} Hz is none of "
            "a spectrum; export the spectrum alone",
            cause="mixed_data",
        )
    time = raw.columns.get(terms.TIME)
    if time is not None:
        seconds = np.asarray(time, dtype=np.float64)
        raw.columns[terms.TIME] = seconds - seconds[0]
    raw.decide(
        DecisionCode.SPECTRUM_FOUND,
        f"an impedance spectrum of {raw.rows} frequencies",
        evidence="frequency column",
        rows=raw.rows,
    )
    names = (*_LEADING, *(n for n in raw.columns if n not in _LEADING))
    table = pa.table(
        {n: pa.array(raw.columns[n], from_pandas=True) for n in names if n in raw.columns}
    )
    columns = raw.account(set(table.column_names))
    return Reading(
        table=table,
        header=grouped({"cycler": dialect.cycler}),
        dialect=dialect.name,
        decisions=tuple(dict.fromkeys(raw.decisions)),
        facts={
            **grid.facts,
            "data_type": "eis",
            "rows_read": rows_read,
            "rows_left_out": raw.left_out,
            "columns": columns,
        },
    )


def tell_sweeps(raw: Raw) -> None:
    """Separate the rows of a sweep from the others, in place, in a table of both."""
    in_parts(raw)
    blank_outside_sweeps(raw)
    _refuse_lost_impedance(raw)


def _refuse_lost_impedance(raw: Raw) -> None:
    """Refuse a table that sweeps a frequency and has no impedance that is understood.

    Its rows would pass for cycling, without what was measured.
    """
    if {terms.Z_RE, terms.Z_IM} <= raw.columns.keys():
        return
    for name, values in raw.columns.items():
        if folded_name(name.partition("[")[0]) not in (*FREQUENCIES, *ANGULAR):
            continue
        numbers = np.asarray(values, dtype=np.float64)
        swept = numbers[numbers > SWEEP_HZ]
        if len(np.unique(swept)) >= SWEEP_POINTS and swept.max() > DECADE * swept.min():
            raise UnreadableError(
                f"{raw.name}: the column {printable(name)!r} sweeps {len(swept)} frequencies, and "
                "no column is known as the impedance beside it; name its columns Z_Re and Z_Im, or "
                "|Z| and Phase, with their units, or describe them in a dialect file",
                cause="missing_column",
            )


def in_parts(raw: Raw) -> None:
    """Give the impedance as real and imaginary part, in place: turned round, or from its polar."""
    negated = raw.columns.pop(Z_IM_NEGATED, None)
    if negated is not None and terms.Z_IM not in raw.columns:
        raw.columns[terms.Z_IM] = -np.asarray(negated, dtype=np.float64)
    turned = raw.columns.pop(PHASE_NEGATED, None)
    if turned is not None and PHASE not in raw.columns:
        raw.columns[PHASE] = -np.asarray(turned, dtype=np.float64)
    if {terms.Z_RE, terms.Z_IM} <= raw.columns.keys() or not (
        {MODULUS, PHASE} <= raw.columns.keys()
    ):
        return
    modulus = np.asarray(raw.columns[MODULUS], dtype=np.float64)
    phase = np.deg2rad(np.asarray(raw.columns[PHASE], dtype=np.float64))
    raw.columns[terms.Z_RE], raw.columns[terms.Z_IM] = (
        modulus * np.cos(phase),
        modulus * np.sin(phase),
    )
    raw.decide(
        DecisionCode.IMPEDANCE_DERIVED,
        "the impedance was made of its modulus and phase",
        evidence="columns of the file",
        rows=raw.rows,
    )


def blank_outside_sweeps(raw: Raw) -> None:
    """Make frequency and impedance null, in place, in rows that are no point of a spectrum."""
    frequency = raw.columns.get(terms.FREQUENCY)
    if frequency is None:
        return
    inside = np.asarray(frequency, dtype=np.float64) > SWEEP_HZ
    for name in (*_QUANTITIES, Z_IM_NEGATED):
        if name not in raw.columns:
            continue
        if not inside.any():
            del raw.columns[name]
        elif not inside.all():
            values: Floats = np.asarray(raw.columns[name], dtype=np.float64)
            raw.columns[name] = np.where(inside, values, np.nan)


def _leave_out_gaps(raw: Raw) -> None:
    gap = np.zeros(raw.rows, dtype=bool)
    for name in (terms.FREQUENCY, terms.Z_RE, terms.Z_IM):
        gap |= np.isnan(np.asarray(raw.columns[name], dtype=np.float64))
    if gap.all():
        raise UnreadableError(
            f"{raw.name}: no row has a frequency and an impedance", cause="no_rows"
        )
    if gap.any():
        raw.leave_out(gap, "rows without a frequency or an impedance", evidence="no value")
