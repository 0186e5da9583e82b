"""Battery Data Format, and other tables of the community: PyProBE's Parquet, plain headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bulkload.core import terms
from bulkload.readers.dialect import ColumnRule, Dialect, Kind
from bulkload.readers.file_kinds import PARQUET, TEXT
from bulkload.readers.header_match import headings, missing
from bulkload.readers.headers import find, grid_below
from bulkload.readers.native import parquet_table
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid
from bulkload.readers.units import split_heading

MACHINE: Final = Dialect(
    name="BDF machine names",
    cycler="BDF",
    signature=(("test time second",), ("voltage volt",), ("current ampere",)),
    columns=(
        ColumnRule(terms.TIME, ("test time second",), unit="s", kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage volt",), unit="V"),
        ColumnRule(terms.CURRENT, ("current ampere",), unit="A"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle count",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step count",)),
        ColumnRule(terms.TEMPERATURE, ("ambient temperature celsius",), unit="degC"),
        ColumnRule(terms.CHARGE_CAPACITY, ("charging capacity ampere hour",), unit="Ah"),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("discharging capacity ampere hour",), unit="Ah"),
        ColumnRule(terms.CHARGE_ENERGY, ("charging energy watt hour",), unit="Wh"),
        ColumnRule(terms.DISCHARGE_ENERGY, ("discharging energy watt hour",), unit="Wh"),
    ),
    # The capacities under names of a later version stay as they are, and tell the sign.
    totals=(
        (terms.CHARGE_CAPACITY, terms.DISCHARGE_CAPACITY),
        ("charging_capacity_ah", "discharging_capacity_ah"),
    ),
    keep_others=True,
)

LABELS: Final = Dialect(
    name="BDF labels",
    cycler="BDF",
    signature=(("test time",), ("voltage",), ("current",)),
    columns=(
        ColumnRule(terms.TIME, ("test time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage",)),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle count",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step count",)),
        ColumnRule(terms.TEMPERATURE, ("ambient temperature",), unit="degC"),
        ColumnRule(terms.CHARGE_CAPACITY, ("charging capacity",), unit="Ah"),
        ColumnRule(terms.DISCHARGE_CAPACITY, ("discharging capacity",), unit="Ah"),
        ColumnRule(terms.CHARGE_ENERGY, ("charging energy",), unit="Wh"),
        ColumnRule(terms.DISCHARGE_ENERGY, ("discharging energy",), unit="Wh"),
        ColumnRule(terms.POWER, ("power",), needs_unit=True),
    ),
    slash_units=True,
    keep_others=True,
)

PYPROBE: Final = Dialect(
    name="PyProBE",
    cycler="PyProBE",
    signature=(("time",), ("step",), ("event",), ("current",), ("voltage",)),
    columns=(
        ColumnRule(terms.TIME, ("time",), kind=Kind.DURATION),
        ColumnRule(terms.VOLTAGE, ("voltage",)),
        ColumnRule(terms.CURRENT, ("current",)),
        ColumnRule(terms.TEMPERATURE, ("temperature",), needs_unit=True),
    ),
)

_SECOND_LABELS: Final = frozenset({"/ s", "/ V", "/ A"})


@dataclass(frozen=True)
class CommunityFormat(Format):
    """A dialect that comes as text or as Parquet."""

    name: str
    dialects: tuple[Dialect, ...]
    #: Its names are its own: raw columns of another format may stand beside them.
    is_decisive: bool = False

    def sniff(self, probe: Probe) -> Evidence:
        """Look for the signature in the header or the Parquet schema."""
        nearest = Evidence()
        for dialect in self.dialects:
            found, lacks = self._fit(probe, dialect)
            if found and not lacks:
                return Evidence(fits=(found,))
            if found:
                nearest = Evidence(fits=(found,), lacks=tuple(lacks))
        return nearest

    def _fit(self, probe: Probe, dialect: Dialect) -> tuple[str, list[str]]:
        if probe.kind == PARQUET:
            bases = {heading.base for heading in headings(probe.schema.names, dialect)}
            lacks = missing(bases, dialect)
            if len(lacks) == len(dialect.signature):
                return "", lacks
            return f"the schema holds columns of {dialect.name}", lacks
        if probe.kind != TEXT:
            return "", []
        header = find(probe.headers, dialect)
        if header is None or not _is_marked(header.names, dialect):
            return "", []
        return f"line {header.number} holds the columns of {dialect.name}", []

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the table in the dialect that fits best."""
        dialect = next(
            (d for d in self.dialects if self._fit(probe, d)[0] and not self._fit(probe, d)[1]),
            self.dialects[0],
        )
        if probe.kind == PARQUET:
            table = parquet_table(probe.content)
            names = _labels_first(table.column_names, dialect)
            columns = dict(zip(names, table.columns, strict=True))
            return read_grid(ArrayGrid(columns, probe.name), dialect, probe.name, options)
        header = find(probe.headers, dialect) or probe.headers[0]
        grid = grid_below(probe.text, header, dialect)
        grid.names = _labels_first(grid.names, dialect)
        return read_grid(grid, dialect, probe.name, options)


def _labels_first(names: Sequence[str], dialect: Dialect) -> list[str]:
    """Rename raw columns that would be taken for the same as a label: ``Voltage/V`` beside it."""
    if dialect is not LABELS:
        return list(names)
    labels = {split_heading(name, slash=True).base for name in names if " / " in name}
    return [
        f"{name} (raw)"
        if " / " not in name and split_heading(name, slash=True).base in labels
        else name
        for name in names
    ]


def _is_marked(names: tuple[str, ...], dialect: Dialect) -> bool:
    """Bare labels are too common in a text: BDF's own have a unit after a slash."""
    return dialect is not LABELS or any(name.endswith(tuple(_SECOND_LABELS)) for name in names)


BDF: Final = CommunityFormat(name="bdf", dialects=(MACHINE, LABELS), is_decisive=True)
PYPROBE_FORMAT: Final = CommunityFormat(name="pyprobe", dialects=(PYPROBE,))
