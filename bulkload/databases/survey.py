"""A first ``[source.sql]`` for a database that nobody described: proposed with its evidence.

What the catalogue and a few rows settle is written; what they leave open is written as a comment,
so that the file is refused until a person has decided.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.databases import survey_names as names
from bulkload.databases.engines.base import Database
from bulkload.databases.session import open_own, opened
from bulkload.databases.survey_names import Quantity, quantities
from bulkload.databases.survey_relations import Link, Tables
from bulkload.databases.urls import Engine, parse_url
from bulkload.errors import BulkloadError, PlanError

#: Tables whose columns are looked at.
MAX_TABLES: Final = 500
#: Share of the rows that have to agree before a sign is proposed.
CLEAR: Final = 0.9

#: Profile -> tables that only its databases have.
_PROFILES: Final[Mapping[str, frozenset[str]]] = {
    "battery-archive": frozenset({"cell_metadata", "cycle_timeseries"}),
    "arbin-mits8": frozenset({"testlist_table", "iv_basic_table"}),
    "galv": frozenset({"experiment.dataset", "experiment.timeseries_data"}),
}
_NEWARE_COLUMNS: Final = frozenset({"main_first_table", "main_second_table"})

_NEEDED: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)
#: Units of columns whose name alone says what they hold.
_PLAIN_UNITS: Final = {
    terms.TIME: "s",
    terms.CHARGE_CAPACITY: "A.h",
    terms.DISCHARGE_CAPACITY: "A.h",
    terms.TEMPERATURE: "degC",
}
_COUNTED: Final = frozenset({terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER})
#: Identifiers that every engine takes as they stand.
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED: Final = frozenset(
    {"current", "group", "index", "key", "order", "table", "user", "values"}
)


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
        return _Search(Tables(database, tables), parsed.masked).proposal()


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


class _Search:
    """Finds what a home-made database keeps where."""

    def __init__(self, tables: Tables, masked: str) -> None:
        self._tables = tables
        self._masked = masked
        self._evidence: list[str] = []
        self._questions: list[str] = []

    def proposal(self) -> Proposal:
        """Return the proposal; ``PlanError`` where no table holds samples."""
        all_columns = self._tables.columns
        samples = [name for name, columns in all_columns.items() if _is_samples(columns)]
        if not samples:
            raise PlanError(
                f"{self._masked}: none of {len(all_columns)} tables has columns for time, voltage "
                "and current; write [source.sql] by hand"
            )
        chosen = max(samples, key=self._tables.count)
        others = [name for name in all_columns if name not in samples]
        lines = ["[source.sql]", f"url = {_text(self._masked)}", ""]
        naming = self._tables.names_tables(samples)
        if naming is not None:
            table, column = naming
            example = self._tables.rows(table)[0][column]
            self._evidence.append(f"{table}.{column} names tables of samples, such as {example}")
            lines += self._from_tests(table, others, sample_table=column)
            lines += ["", *self._samples(chosen, None)]
        else:
            self._evidence.append(f"{chosen} has columns for time, voltage and current")
            link = self._tables.link(chosen, self._keys(chosen), others)
            if link is None:
                key = next(iter(self._keys(chosen)), None)
                lines += self._from_samples(chosen, key)
                lines += ["", *self._samples(chosen, None if key is None else (key, key))]
            else:
                self._say(chosen, link)
                lines += self._from_tests(link.table, others, key=link.key)
                lines += ["", *self._samples(chosen, (link.column, link.key))]
        return Proposal(
            toml="\n".join(lines) + "\n", evidence=self._evidence, open_questions=self._questions
        )

    def _say(self, table: str, link: Link) -> None:
        self._evidence.append(f"every {table}.{link.column} is a {link.table}.{link.key}")

    def _keys(self, table: str) -> list[str]:
        """Return the columns that may distinguish the tests of a table of samples."""
        columns = self._tables.columns[table]
        taken = {one.column for one in quantities(columns).values()}
        free = [one for one in columns if one not in taken and names.folded(one) not in names.ORDER]
        words = (names.TEST_WORDS, names.CELL_WORDS)
        known = [one for one in free if any(word.search(names.folded(one)) for word in words)]
        few = [one for one in free if one not in known and self._repeats(table, one)]
        serial = [one for one in few if names.folded(one) in names.CELL_NAMES]
        return [*known, *serial, *(one for one in few if names.folded(one).endswith(" id"))]

    def _repeats(self, table: str, column: str) -> bool:
        values = self._tables.values(table, column)
        return 0 < len(set(values)) <= len(values) / 2

    def _from_tests(
        self,
        table: str,
        others: Sequence[str],
        *,
        key: str | None = None,
        sample_table: str | None = None,
    ) -> list[str]:
        """Return cells and measurements, where a table has one row a test."""
        columns = self._tables.columns[table]
        if key is None:
            key = next((one for one in columns if self._tables.is_unique(table, one)), columns[0])
        free = [one for one in columns if one not in {key, sample_table}]
        link = self._tables.link(table, free, [one for one in others if one != table])
        if link is None:
            cell = names.named(free, names.CELL_NAMES) or key
            lines, source, shown = self._cells(table, cell, is_own=False), table, cell
            query = f"SELECT * FROM {self._name(table)}"  # noqa: S608 - for a person to read
        else:
            self._say(table, link)
            source = link.table
            own = [one for one in self._tables.columns[source] if one != link.key]
            name = next((c for c in own if self._is_cell_name(source, c)), link.key)
            lines, shown = self._cells(source, name, is_own=True), link.column
            query = f"SELECT * FROM {self._name(table)}"  # noqa: S608 - for a person to read
            if name != link.key:
                shown = "cell_name"
                self._evidence.append(f"{source}.{name} names the cells")
                query = (
                    f"SELECT t.*, c.{self._name(name)} AS cell_name FROM {self._name(table)} t "  # noqa: S608
                    f"JOIN {self._name(source)} c ON t.{self._name(link.column)} = "
                    f"c.{self._name(link.key)}"
                )
        lines += [
            "[source.sql.measurements]",
            f"query = {_text(query)}",
            f"cell = {_text(shown)}",
            f"name = {_text(self._test_name(table, key, None if link is None else link.column))}",
            f"key = {_text(key)}",
        ]
        if sample_table is not None:
            lines.append(f"table = {_text(sample_table)}")
        return lines + self._start(free)

    def _is_cell_name(self, table: str, column: str) -> bool:
        return names.folded(column) in names.CELL_NAMES and self._tables.is_unique(table, column)

    def _test_name(self, table: str, key: str, cell: str | None) -> str:
        """Return the pattern of the measurements' names: the label, where it is one to a cell."""
        label = names.named([one for one in self._tables.columns[table] if one != key],
                            names.TEST_NAMES)  # fmt: skip
        if label is None:
            return f"test {{{key}}}"
        rows = self._tables.rows(table)
        pairs = [(row.get(cell) if cell else None, row[label]) for row in rows]
        return f"{{{label}}}" if len(set(pairs)) == len(pairs) else f"{{{label}}} #{{{key}}}"

    def _start(self, columns: Sequence[str]) -> list[str]:
        column = names.named(columns, names.STARTS)
        if column is None:
            return []
        self._questions.append(f"measurements.start_time: the zone of {column}, if it states none")
        return [f'# start_time = {{ column = {_text(column)}, zone = "Europe/Berlin" }}']

    def _from_samples(self, table: str, key: str | None) -> list[str]:
        """Return cells and measurements, where only the samples name them."""
        if key is None:
            self._questions.append(f"measurements.key: no column of {table} distinguishes tests")
            key = "?"
        query = f"SELECT DISTINCT {self._name(key)} FROM {self._name(table)}"  # noqa: S608
        return [
            *self._cells(table, key, is_own=False),
            "[source.sql.measurements]",
            f"query = {_text(query)}",
            f"cell = {_text(key)}",
            f"name = {_text(f'test {{{key}}}')}",
            f"key = {_text(key)}",
        ]

    def _cells(self, table: str, key: str, *, is_own: bool) -> list[str]:
        """Return the cells' query; ``is_own``: the table has one row a cell."""
        columns = self._tables.columns[table]
        chosen = "*" if is_own else f"DISTINCT {self._name(key)}"
        spec = names.named(columns, names.SPECIFICATIONS) if is_own else None
        if spec is None:
            self._questions.append("cells.specification: the columns that say what kind a cell is")
            stated = "# specification = ?   # a pattern such as {model}; columns: "
            stated += ", ".join(columns)
        else:
            self._evidence.append(f"{table}.{spec} says what kind a cell is")
            stated = f"specification = {_text('{' + spec + '}')}"
        lines = [
            "[source.sql.cells]",
            f"query = {_text(f'SELECT {chosen} FROM {self._name(table)}')}",  # noqa: S608
            f"key = {_text(key)}",
            stated,
        ]
        for column in columns if is_own else ():
            base, unit = names.unit_of(column, ("A.h", "mA.h"))
            if base in names.RATED and unit is not None:
                lines.append(f'rated_capacity = {{ column = {_text(column)}, unit = "{unit}" }}')
                break
        return [*lines, ""]

    def _samples(self, table: str, key: tuple[str, str] | None) -> list[str]:
        """Return the samples' query; ``key``: its column, and that of the measurement."""
        columns = self._tables.columns[table]
        found = quantities(columns)
        where = "" if key is None else f" WHERE {self._name(key[0])} = :{key[1]}"
        source = "{table}" if key is None and self._is_named() else self._name(table)
        order = names.named(columns, names.ORDER) or found[terms.TIME].column
        rows = self._tables.rows(table)
        return [
            "[source.sql.samples]",
            f"query = {_text(f'SELECT * FROM {source}{where}')}",  # noqa: S608
            f"order = [{_text(order)}]",
            "",
            "[source.sql.samples.columns]",
            *(self._column(target, one, rows, found) for target, one in found.items()),
        ]

    def _is_named(self) -> bool:
        return any("names tables of samples" in one for one in self._evidence)

    def _name(self, identifier: str) -> str:
        """Return an identifier as a query has it: quoted where it has to be."""
        if _PLAIN.fullmatch(identifier) and identifier not in _RESERVED:
            return identifier
        return identifier if identifier == "?" else self._tables.database.quote(identifier)

    def _column(
        self,
        name: str,
        quantity: Quantity,
        rows: Sequence[Mapping[str, Any]],
        found: Mapping[str, Quantity],
    ) -> str:
        column = quantity.column
        if name in _COUNTED:
            return f"{_text(name)} = {{ column = {_text(column)} }}"
        unit = self._unit(name, quantity, rows)
        stated = "" if unit is None else f', unit = "{unit}"'
        if unit is None:
            self._questions.append(f"the unit of {column}")
        sign = self._sign(column, rows, found) if name == terms.CURRENT else ""
        return f"{_text(name)} = {{ column = {_text(column)}{stated}{sign} }}"

    def _unit(self, name: str, quantity: Quantity, rows: Sequence[Mapping[str, Any]]) -> str | None:
        column = quantity.column
        if quantity.unit is not None:
            self._evidence.append(f"{column} is named after its unit")
            return quantity.unit
        if name != terms.VOLTAGE:
            # Seconds and degrees are what they are called; a current may be A or mA.
            return _PLAIN_UNITS.get(name)
        values = np.abs(_numbers(rows, column))
        middle = float(np.median(values)) if len(values) else 0.0
        for unit, scale in (("V", 1.0), ("mV", 1000.0)):
            if 0.5 * scale <= middle <= 6.0 * scale:
                self._evidence.append(
                    f"{column}: the middle value is {middle:g}, a voltage in {unit}"
                )
                return unit
        return None

    def _sign(
        self, column: str, rows: Sequence[Mapping[str, Any]], found: Mapping[str, Quantity]
    ) -> str:
        voltage, order = found[terms.VOLTAGE].column, found[terms.TIME].column
        whole = [row for row in rows if None not in (row[column], row[voltage], row[order])]
        share, moving = _rising(_ordered(whole, order, column, voltage), column, voltage)
        if share >= CLEAR or share <= 1 - CLEAR:
            positive = "charge" if share >= CLEAR else "discharge"
            self._evidence.append(
                f"{column}: the voltage rises with a positive current in {share:.0%} of "
                f"{moving} rows, so positive is {positive}"
            )
            return f', positive = "{positive}"'
        self._questions.append(f"the sign of {column}: positive = 'charge' or 'discharge'")
        return ""


def _is_samples(columns: Sequence[str]) -> bool:
    return all(name in quantities(columns) for name in _NEEDED)


def _ordered(
    rows: Sequence[Mapping[str, Any]], order: str, *measured: str
) -> list[Mapping[str, Any]]:
    """Put the rows in the order of their time, the tests one after the other."""

    def place(row: Mapping[str, Any]) -> tuple[str, float]:
        rest = [str(v) for k, v in row.items() if k not in {order, *measured} and _is_id(k)]
        at = row[order]
        return " ".join(rest), float(at) if isinstance(at, int | float) else 0.0

    return sorted(rows, key=place)


def _is_id(column: str) -> bool:
    name = names.folded(column)
    return bool(names.TEST_WORDS.search(name) or names.CELL_WORDS.search(name))


def _rising(rows: Sequence[Mapping[str, Any]], column: str, voltage: str) -> tuple[float, int]:
    """Return in what share of how many rows the voltage rises with a positive current."""
    current, volts = _numbers(rows, column), _numbers(rows, voltage)
    if len(current) <= 2 or len(current) != len(volts):
        return 0.5, 0
    steady = (current[1:] * current[:-1] > 0) & (np.diff(volts) != 0)
    rises = (np.diff(volts) > 0) == (current[1:] > 0)
    return (float(rises[steady].mean()) if steady.any() else 0.5), int(steady.sum())


def _text(value: str) -> str:
    """Write a text of TOML; JSON's strings are TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _numbers(rows: Sequence[Mapping[str, Any]], column: str) -> np.ndarray[Any, Any]:
    found = (row[column] for row in rows)
    return np.array([float(v) for v in found if isinstance(v, int | float)], dtype=np.float64)
