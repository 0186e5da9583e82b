"""HDF5 stores of labs: battery-data-toolkit, Indigo, Arbin's tables, and labelled columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow.compute as pc

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.core.test_columns import TEST
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import EPOCH, MODE, REQUIRED, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.file_kinds import HDF5
from bulkload.readers.formats import arbin, generic
from bulkload.readers.hdf5_tables import Columns, tables
from bulkload.readers.header_match import HeaderRow, TwiceError, match
from bulkload.readers.multi_test import chosen_member, numbering, tests_in
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid

#: Whole numbers that count parts of a second since 1970: column -> how many make a second. They
#: are divided here, with whole numbers, because a double cannot hold them.
_TICKS: Final = {"system_time_us": 1_000_000, "Date_Time": 10_000_000}
_SECONDS: Final = "unix_time_s"

#: battery-data-toolkit lays its units and its sign down: seconds, A, V; positive is charge.
BATTERY_DATA_TOOLKIT: Final = Dialect(
    name="battery-data-toolkit",
    cycler="",
    signature=(("test time",), ("current",), ("voltage",), ("cycle number",)),
    columns=(
        ColumnRule(terms.TIME, ("test time",), unit="s"),
        ColumnRule(EPOCH, ("time",)),
        ColumnRule(terms.VOLTAGE, ("voltage",), unit="V"),
        ColumnRule(terms.CURRENT, ("current",), unit="A"),
        ColumnRule(terms.TEMPERATURE, ("temperature",), unit="C"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle number",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step index",)),
        ColumnRule(MODE, ("state",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
)

#: BEEP's Indigo: an experiment is a test, its time a float of seconds beside whole microseconds.
INDIGO: Final = Dialect(
    name="Indigo",
    cycler="Indigo",
    signature=(("time s",), ("cell current a",), ("cell voltage v",), ("experiment count",)),
    columns=(
        ColumnRule(TEST, ("experiment count",), kind=Kind.TEXT),
        ColumnRule(terms.TIME, ("time s",), unit="s"),
        ColumnRule(EPOCH, ("unix time s",)),
        ColumnRule(terms.VOLTAGE, ("cell voltage v",), unit="V"),
        ColumnRule(terms.CURRENT, ("cell current a",), unit="A"),
        ColumnRule(terms.TEMPERATURE, ("cell temperature c",), unit="C"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle count",)),
    ),
)

#: Arbin's SQL tables as data frames: the columns of an export, without units.
ARBIN_TABLE: Final = replace(
    arbin.TABLE,
    name="Arbin tables in HDF5",
    columns=(*arbin.COLUMNS, ColumnRule(EPOCH, ("unix time s",))),
)

DIALECTS: Final = (INDIGO, ARBIN_TABLE, BATTERY_DATA_TOOLKIT, *generic.FORMAT.dialects)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that has the columns of a dialect."""

    path: str
    grid: ArrayGrid
    dialect: Dialect
    #: The test to keep of it; None: it holds but one.
    test: str | None = None


class Hdf5(Format):
    """An HDF5 file, through h5py."""

    name = "hdf5"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look at the first bytes."""
        return Evidence(fits=("is an HDF5 file",)) if probe.kind == HDF5 else Evidence()

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the tests: tables, and what a column of test numbers distinguishes."""
        names = list(_tests(probe))
        return names if len(names) > 1 else ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the table that was chosen."""
        found = _tests(probe)
        if not found:
            raise UnreadableError(
                f"{probe.name}: none of its tables has a time, a voltage and a current whose units "
                "are known; export the test as text, or name the columns with their units",
                cause="unknown_format",
            )
        table = found[chosen_member(probe.name, list(found), options.member)]
        options = replace(options, member=table.test)
        others = sorted(_tables_of(probe).keys() - {one.path for one in found.values()})

        def prepare(raw: Raw) -> None:
            if others:
                raw.decide(
                    DecisionCode.TABLES_LEFT_OUT,
                    f"{len(others)} other tables of the file left out",
                    evidence="other tables",
                    columns=[printable(path) for path in others],
                )

        return read_grid(table.grid, table.dialect, probe.name, options, prepare)


def _tables_of(probe: Probe) -> dict[str, Columns]:
    return {path: _counted(columns) for path, columns in tables(probe.content).items()}


def _tests(probe: Probe) -> dict[str, _Table]:
    fitting = {
        path: _Table(path, ArrayGrid(columns, probe.name), dialect)
        for path, columns in _tables_of(probe).items()
        if (dialect := _dialect_of(columns)) is not None
    }
    found: dict[str, _Table] = {}
    for path, table in fitting.items():
        shown = printable(path)
        tests: Sequence[str] = ()
        if numbering(table.grid.names, table.dialect):
            tests = tests_in(table.grid, table.dialect, probe.name)
        if not tests:
            found[shown] = table
        for test in tests:
            found[test if len(fitting) == 1 else f"{shown} {test}"] = replace(table, test=test)
    return found


def _dialect_of(columns: Columns) -> Dialect | None:
    """Return the dialect of a table's columns whose units are all known."""
    header = HeaderRow(0, tuple(columns))
    for dialect in DIALECTS:
        if header.fits(dialect) and _has_units(columns, dialect):
            return dialect
    return None


def _has_units(columns: Columns, dialect: Dialect) -> bool:
    try:
        found = match(list(columns), [None] * len(columns), dialect)
    except TwiceError:
        return False
    stated = [found.of(target) for target in REQUIRED]
    return all(one is not None and one.unit is not None for one in stated)


def _counted(columns: Columns) -> Columns:
    """Bring counts of ticks to seconds since 1970; zero is no date."""
    counted = dict(columns)
    for name, each in _TICKS.items():
        ticks = columns.get(name)
        if ticks is None or str(ticks.type) != "int64":
            continue
        del counted[name]
        whole = pc.divide(ticks, each)
        part = pc.subtract(ticks, pc.multiply(whole, each))
        seconds = pc.add(whole.cast("float64"), pc.divide(part.cast("float64"), float(each)))
        counted[_SECONDS] = pc.if_else(pc.equal(ticks, 0), None, seconds)
    return counted


FORMAT: Final = Hdf5()
