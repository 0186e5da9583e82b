"""A first ``[source.sql]`` for a database that nobody described: proposed with its evidence.

What the catalogue and a few rows settle is written; what they leave open is written as a comment,
so that the file is refused until a person has decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.databases.engines.base import Database
from bulkload.databases.session import open_own, opened
from bulkload.databases.urls import Engine, parse_url
from bulkload.errors import BulkloadError, PlanError

#: Tables whose columns are looked at.
MAX_TABLES: Final = 500
#: Rows of the samples that are looked at for units and sign.
SAMPLE_ROWS: Final = 5000
#: Share of the rows that have to agree before a sign is proposed.
CLEAR: Final = 0.9

#: Profile -> tables that only its databases have.
_PROFILES: Final[Mapping[str, frozenset[str]]] = {
    "battery-archive": frozenset({"cell_metadata", "cycle_timeseries"}),
    "arbin-mits8": frozenset({"testlist_table", "iv_basic_table"}),
    "galv": frozenset({"experiment.dataset", "experiment.timeseries_data"}),
}
_NEWARE_COLUMNS: Final = frozenset({"main_first_table", "main_second_table"})

#: Ionworks column -> names that databases give it, folded.
_NAMES: Final[Mapping[str, str]] = {
    terms.TIME: r"(test_?)?time(_?(s|ms|sec|seconds))?|t(_(s|ms))?|total_time_s|elapsed.*|"
    r"runtime_seconds",
    terms.VOLTAGE: r"v|u|volt(age|s)?(_?m?v)?|[uv]_m?v|test_vol",
    terms.CURRENT: r"i|amps?|current(_?m?a)?|i_m?a|test_cur",
    terms.CHARGE_CAPACITY: r"ah_c|charge_cap(acity)?(_?m?ah)?|cap_?chg(_?m?ah)?",
    terms.DISCHARGE_CAPACITY: r"ah_d|discharge_cap(acity)?(_?m?ah)?|cap_?dchg(_?m?ah)?",
    terms.TEMPERATURE: r"(cell_)?temp(erature)?(_?(c|degc))?",
    terms.STEP_FROM_CYCLER: r"step(_?(id|index|no|number))?",
    terms.CYCLE_FROM_CYCLER: r"cycle(_?(id|index|no|number))?",
}
_ORDER: Final = r"n|id|index|seq(_?id)?|rec(ord)?(_?(id|no))?|data_point|sample_no|meas_?id"
_MILLI: Final = re.compile(r"_?(mv|ma|mah|ms)\Z")
_SUFFIX_UNITS: Final = {"mv": "mV", "ma": "mA", "mah": "mA.h", "ms": "ms"}
_UNITS: Final = {
    terms.TIME: "s",
    terms.VOLTAGE: "V",
    terms.CURRENT: "A",
    terms.CHARGE_CAPACITY: "A.h",
    terms.DISCHARGE_CAPACITY: "A.h",
    terms.TEMPERATURE: "degC",
}
_NEEDED: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)


@dataclass(slots=True, kw_only=True)
class Proposal:
    """A TOML text, and what it rests on."""

    toml: str
    evidence: list[str] = field(default_factory=list)
    #: What a person has to decide before the file is accepted.
    open_questions: list[str] = field(default_factory=list)


def propose(url: str, base: Path) -> Proposal:
    """Look at a database's catalogue and a few rows; raises ``PlanError`` where nothing fits."""
    parsed = parse_url(url, base)
    with opened(open_own(parsed)) as database:
        tables = _tables(database, parsed.engine)
        folded = {name.lower() for name in tables}
        for profile, needed in _PROFILES.items():
            if needed <= folded:
                return _by_profile(parsed.masked, profile, sorted(needed))
        for name, columns in tables.items():
            if {column.lower() for column in columns} >= _NEWARE_COLUMNS:
                return _by_profile(parsed.masked, "neware-bts", [f"{name}.main_first_table"])
        return _Search(database, tables, parsed.masked).proposal()


def _tables(database: Database, engine: Engine) -> dict[str, list[str]]:
    """Return the columns of the tables by the shortest name that each has."""
    names = database.tables()
    own = [name for name in names if name.rpartition(".")[2] not in names - {name}]
    if engine is Engine.MYSQL:
        # What has a point lies in another database of the server.
        own = [name for name in own if "." not in name]
    found = {}
    for name in sorted(own)[:MAX_TABLES]:
        try:
            kinds = database.kinds(f"SELECT * FROM {database.quote(name)}")  # noqa: S608 - quoted
        except BulkloadError:
            continue
        found[name] = list(kinds)
    return found


def _by_profile(masked: str, profile: str, tables: Sequence[str]) -> Proposal:
    lines = ["[source.sql]", f'url = "{masked}"', f'profile = "{profile}"']
    questions = []
    if profile != "battery-archive":
        lines += ["", "[source.sql.cells]", "# specification = ?   # no table says of which kind"]
        questions.append("cells.specification: what the cells are")
    return Proposal(
        toml="\n".join(lines) + "\n",
        evidence=[f"the tables {', '.join(tables)} are those of {profile}"],
        open_questions=questions,
    )


def _match(columns: Sequence[str], pattern: str) -> str | None:
    return next((c for c in columns if re.fullmatch(pattern, c, re.IGNORECASE)), None)


class _Search:
    """Finds what a home-made database keeps where."""

    def __init__(self, database: Database, tables: Mapping[str, list[str]], masked: str) -> None:
        self._database = database
        self._tables = tables
        self._masked = masked
        self._evidence: list[str] = []
        self._questions: list[str] = []

    def proposal(self) -> Proposal:
        """Return the proposal; ``PlanError`` where no table holds samples."""
        samples = [name for name, columns in self._tables.items() if self._is_samples(columns)]
        if not samples:
            raise PlanError(
                f"{self._masked}: none of {len(self._tables)} tables has columns for time, voltage "
                "and current; write [source.sql] by hand"
            )
        chosen = max(samples, key=self._rows)
        naming = self._naming_table(samples)
        lines = ["[source.sql]", f'url = "{self._masked}"', ""]
        lines += self._one_table_a_test(*naming) if naming else self._one_table(chosen)
        lines += ["", *self._columns(chosen, naming is not None)]
        return Proposal(
            toml="\n".join(lines) + "\n",
            evidence=self._evidence,
            open_questions=self._questions,
        )

    def _is_samples(self, columns: Sequence[str]) -> bool:
        return all(_match(columns, _NAMES[name]) is not None for name in _NEEDED)

    def _rows(self, table: str) -> int:
        quoted = self._database.quote(table)
        return int(self._database.rows(f"SELECT COUNT(*) AS n FROM {quoted}")[0]["n"])  # noqa: S608

    def _some(self, table: str, rows: int) -> list[dict[str, Any]]:
        quoted = self._database.quote(table)
        return self._database.rows(f"SELECT * FROM {quoted} LIMIT {rows}")  # noqa: S608 - quoted

    def _naming_table(self, samples: Sequence[str]) -> tuple[str, str] | None:
        """Return the table and column whose values are names of tables of samples."""
        if len(samples) < 2:
            return None
        for name in self._tables:
            for row in [] if name in samples else self._some(name, 1):
                for column, value in row.items():
                    if value in samples:
                        self._evidence.append(
                            f"{name}.{column} names tables of samples, such as {value}"
                        )
                        return name, column
        return None

    def _one_table_a_test(self, table: str, column: str) -> list[str]:
        columns = self._tables[table]
        key = _match(columns, r"(test_?)?id") or columns[0]
        cell = _match(columns, r"(cell_?)?(serial|name|barcode)|cell(_?id)?") or columns[0]
        return [
            *self._cells(table, cell),
            "[source.sql.measurements]",
            f'query = "SELECT * FROM {table}"',  # noqa: S608 - for a person to read
            f'cell = "{cell}"',
            f'name = "test {{{key}}}"',
            f'key = "{key}"',
            f'table = "{column}"',
        ]

    def _one_table(self, table: str) -> list[str]:
        columns = self._tables[table]
        key = _match(columns, r"cell(_?(id|name))?|serial|barcode|test(_?id)?")
        if key is None:
            self._questions.append(f"measurements.key: no column of {table} tells tests apart")
            key = "?"
        self._evidence.append(f"{table} has columns for time, voltage and current")
        return [
            *self._cells(table, key),
            "[source.sql.measurements]",
            f'query = "SELECT DISTINCT {key} FROM {table}"',  # noqa: S608 - for a person to read
            f'cell = "{key}"',
            f'name = "test {{{key}}}"',
            f'key = "{key}"',
        ]

    def _cells(self, table: str, cell: str) -> list[str]:
        named = [
            name
            for name, columns in self._tables.items()
            if re.search("cell|sample|batter", name, re.IGNORECASE)
            and cell in columns
            and name != table
            and not self._is_samples(columns)
        ]
        source = named[0] if named else table
        self._questions.append("cells.specification: the columns that say what kind a cell is")
        if named:
            self._evidence.append(f"{source}.{cell} is the key of {table}.{cell}")
        chosen = "*" if named else f"DISTINCT {cell}"
        return [
            "[source.sql.cells]",
            f'query = "SELECT {chosen} FROM {source}"',  # noqa: S608 - for a person to read
            f'key = "{cell}"',
            "# specification = ?   # a pattern such as {model}; columns: "
            + ", ".join(self._tables[source]),
            "",
        ]

    def _columns(self, table: str, is_named: bool) -> list[str]:  # noqa: FBT001 - one caller
        columns = self._tables[table]
        rows = self._some(table, SAMPLE_ROWS)
        key = _match(columns, r"cell(_?(id|name))?|serial|barcode|test(_?id)?")
        where = "" if is_named or key is None else f" WHERE {key} = :{key}"
        source = "{table}" if is_named else table
        order = _match(columns, _ORDER) or _match(columns, _NAMES[terms.TIME])
        lines = [
            "[source.sql.samples]",
            f'query = "SELECT * FROM {source}{where}"',  # noqa: S608 - for a person to read
            f'order = ["{order}"]',
            "",
            "[source.sql.samples.columns]",
        ]
        for name, pattern in _NAMES.items():
            found = _match(columns, pattern)
            if found is not None:
                lines.append(self._column(name, found, rows, columns))
        return lines

    def _column(
        self, name: str, column: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
    ) -> str:
        if name not in _UNITS:
            return f'"{name}" = {{ column = "{column}" }}'
        unit = self._unit(name, column, rows)
        stated = "" if unit is None else f', unit = "{unit}"'
        if unit is None:
            self._questions.append(f"the unit of {column}")
        sign = self._sign(column, rows, columns) if name == terms.CURRENT else ""
        return f'"{name}" = {{ column = "{column}"{stated}{sign} }}'

    def _unit(self, name: str, column: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
        suffix = _MILLI.search(column.lower())
        if suffix is not None:
            self._evidence.append(f"{column} is named after its unit")
            return _SUFFIX_UNITS[suffix[1]]
        if name != terms.VOLTAGE:
            return self._plain_unit(name, column)
        values = np.abs(_numbers(rows, column))
        middle = float(np.median(values)) if len(values) else 0.0
        if 0.5 <= middle <= 6.0:
            self._evidence.append(f"{column}: the middle value is {middle:g}, a voltage in V")
            return "V"
        if 500.0 <= middle <= 6000.0:
            self._evidence.append(f"{column}: the middle value is {middle:g}, a voltage in mV")
            return "mV"
        return None

    def _plain_unit(self, name: str, column: str) -> str | None:
        """Take seconds and degrees for what they are called; a current may be A or mA."""
        if name in {terms.TIME, terms.TEMPERATURE} or column.lower().startswith("ah_"):
            return _UNITS[name]
        return None

    def _sign(self, column: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
        voltage = _match(columns, _NAMES[terms.VOLTAGE])
        order = _match(columns, _NAMES[terms.TIME])
        assert voltage is not None
        assert order is not None
        table = [row for row in rows if None not in (row[column], row[voltage], row[order])]
        table.sort(key=lambda row: float(row[order]) if isinstance(row[order], int | float) else 0)
        current, volts = _numbers(table, column), _numbers(table, voltage)
        if len(current) > 2:
            steady = (current[1:] * current[:-1] > 0) & (np.diff(volts) != 0)
            rises = (np.diff(volts) > 0) == (current[1:] > 0)
            share = float(rises[steady].mean()) if steady.any() else 0.5
            if share >= CLEAR or share <= 1 - CLEAR:
                positive = "charge" if share >= CLEAR else "discharge"
                self._evidence.append(
                    f"{column}: the voltage rises with a positive current in {share:.0%} of "
                    f"{int(steady.sum())} rows, so positive is {positive}"
                )
                return f', positive = "{positive}"'
        self._questions.append(f"the sign of {column}: positive = 'charge' or 'discharge'")
        return ""


def _numbers(rows: Sequence[Mapping[str, Any]], column: str) -> np.ndarray[Any, Any]:
    found = (row[column] for row in rows)
    return np.array([float(v) for v in found if isinstance(v, int | float)], dtype=np.float64)
