"""A first ``[source.sql]`` for an undescribed database: proposed with its evidence.

What the catalogue and a few rows settle is written; what they leave open is written as a comment,
so that the file is refused until a person has decided.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bulkload.core import terms
from bulkload.databases import survey_names as names
from bulkload.databases.engines.base import Database, DatabaseLostError, ValueKind
from bulkload.databases.engines.urls import Engine, parse_url
from bulkload.databases.session import open_own, opened
from bulkload.databases.survey_columns import Row, SampleColumns, text
from bulkload.databases.survey_long import LongTable, find_long_table
from bulkload.databases.survey_names import quantities
from bulkload.databases.survey_profiles import ProfileProposal, by_profile
from bulkload.databases.survey_relations import Link, Tables
from bulkload.errors import BulkloadError, PlanError

#: Tables whose columns are looked at.
MAX_TABLES: Final = 500
_NEEDED: Final = (terms.TIME, terms.VOLTAGE, terms.CURRENT)
#: Identifiers that every engine takes as they stand.
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED: Final = frozenset(
    {"current", "group", "index", "key", "order", "table", "user", "values"}
)


def propose(url: str, base: Path) -> ProfileProposal:
    """Look at a database's catalogue and a few rows; raises ``PlanError`` where nothing fits."""
    parsed = parse_url(url, base)
    with opened(open_own(parsed)) as database:
        # Taken before anything is asked: PostgreSQL returns to it from a query that fails.
        seen = f"{database.version()}, as it was at {database.snapshot.taken_at}"
        tables, hidden = _tables(database, parsed.engine)
        if (found := by_profile(parsed.masked, tables)) is not None:
            return found
        is_mysql = parsed.engine is Engine.MYSQL
        search = _Search(Tables(database, tables), parsed.masked, hidden, is_mysql=is_mysql)
        found = search.proposal()
        found.evidence.insert(0, seen)
        return found


def _tables(database: Database, engine: Engine) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns of the tables by the shortest name that each has.

    And what keeps other tables from being read.
    """
    names = database.tables()
    own = [name for name in names if name.rpartition(".")[2] not in names - {name}]
    if engine is Engine.MYSQL:
        # What has a point lies in another database of the server.
        own = [name for name in own if "." not in name]
    found, hidden = {}, []
    for name in sorted(own)[:MAX_TABLES]:
        try:
            kinds = database.kinds(f"SELECT * FROM {database.quote(name)}")
        except DatabaseLostError:
            raise
        except BulkloadError as error:
            hidden.append(f"{name} cannot be read: {error}")
            continue
        found[name] = list(kinds)
    return found, hidden


class _Search:
    """Finds what a home-made database keeps where."""

    def __init__(
        self, tables: Tables, masked: str, hidden: Sequence[str], *, is_mysql: bool
    ) -> None:
        """``hidden`` says what keeps other tables from being read."""
        self._tables = tables
        self._masked = masked
        self._is_mysql = is_mysql
        self._evidence: list[str] = []
        self._questions: list[str] = [*hidden]

    def proposal(self) -> ProfileProposal:
        """Return the proposal; ``PlanError`` where no table holds samples."""
        all_columns = self._tables.columns
        samples = [name for name, columns in all_columns.items() if _is_samples(columns)]
        if not samples:
            return self._long_proposal()
        chosen = max(samples, key=self._tables.count)
        others = [name for name in all_columns if name not in samples]
        lines = ["[source.sql]", f"url = {text(self._masked)}", ""]
        naming = self._tables.names_tables(samples)
        read = {chosen} if naming is None else naming.tables
        if rest := [name for name in samples if name not in read]:
            self._questions.append(
                f"{', '.join(rest)}: also columns for time, voltage and current, and not read"
            )
        if naming is not None:
            chosen = max(sorted(naming.tables), key=self._tables.count)
            place, prefix = f"{naming.table}.{naming.column}", naming.prefix
            after = f", behind {prefix!r}," if prefix else ""
            self._evidence.append(
                f"{place}{after} names tables of samples, such as {min(naming.tables)}"
            )
            lines += self._from_tests(
                naming.table,
                others,
                sample_table="sample_table" if prefix else naming.column,
                naming=self._joined(prefix, naming.column) if prefix else None,
            )
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
        return ProfileProposal(
            toml="\n".join(lines) + "\n", evidence=self._evidence, open_questions=self._questions
        )

    def _long_proposal(self) -> ProfileProposal:
        """Return the proposal for a table of one value a row; ``PlanError`` where there is none."""
        all_columns = self._tables.columns
        long = find_long_table(self._tables)
        if long is None:
            raise PlanError(
                f"{self._masked}: none of {len(all_columns)} tables has columns for time, voltage "
                "and current, or for a code and its value; "
                f"{'; '.join(self._questions) or 'write [source.sql] by hand'}"
            )
        table = long.table
        self._evidence.append(f"{table}: one value a row, {long.value} of the code {long.code}")
        keys = [one for one in self._keys(table) if one not in long.taken]
        link = self._tables.link(table, keys, [one for one in all_columns if one != table])
        lines = ["[source.sql]", f"url = {text(self._masked)}", ""]
        if link is None:
            key = next(iter(keys), None)
            at = None if key is None else (key, key)
            lines += self._from_samples(table, key)
        else:
            self._say(table, link)
            key, at = link.column, (link.column, link.key)
            lines += self._from_tests(link.table, [*all_columns], key=link.key)
        rows = long.rows(key)
        self._evidence += long.decide(rows, key)
        lines += ["", *self._samples(table, at, long=long, rows=rows)]
        self._questions += long.questions()
        return ProfileProposal(
            toml="\n".join([*lines, *long.comments()]) + "\n",
            evidence=self._evidence,
            open_questions=self._questions,
        )

    def _joined(self, prefix: str, column: str) -> str:
        """Return the SQL of a table's name that begins with a prefix and ends with a value."""
        parts = self._tables.database.text_literal(prefix), f"t.{self._name(column)}"
        both = f"CONCAT({', '.join(parts)})" if self._is_mysql else " || ".join(parts)
        return f"{both} AS sample_table"

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
        elsewhere = {c for other, cs in self._tables.columns.items() if other != table for c in cs}
        rest = [one for one in few if one in elsewhere or names.folded(one).endswith("id")]
        return [*known, *serial, *rest]

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
        naming: str | None = None,
    ) -> list[str]:
        """Return cells and measurements, where a table has one row a test.

        ``sample_table`` is the column that names its table of samples; ``naming`` the SQL of it.
        """
        columns = self._tables.columns[table]
        if key is None:
            key = next((one for one in columns if self._tables.is_unique(table, one)), columns[0])
        free = [one for one in columns if one not in {key, sample_table}]
        further, join = [] if naming is None else [naming], ""
        if (parameter := _parameter(key)) != key:
            further.append(f"t.{self._name(key)} AS {parameter}")
        link = self._tables.link(table, free, [one for one in others if one != table])
        if link is None:
            cell = names.named(free, names.CELL_NAMES) or key
            is_of_cells = bool(names.CELL_WORDS.search(names.folded(table)))
            is_own = is_of_cells and self._tables.is_unique(table, cell)
            lines, source, shown = self._cells(table, cell, is_own=is_own), table, cell
        else:
            self._say(table, link)
            source = link.table
            own = [one for one in self._tables.columns[source] if one != link.key]
            name = next((c for c in own if self._is_cell_name(source, c)), link.key)
            lines, shown = self._cells(source, name, is_own=True), link.column
            if name != link.key:
                shown = "cell_name"
                self._evidence.append(f"{source}.{name} names the cells")
                further.append(f"c.{self._name(name)} AS cell_name")
                join = (
                    f" JOIN {self._name(source)} c ON t.{self._name(link.column)} = "
                    f"c.{self._name(link.key)}"
                )
            self._ask_about_flags(source)
        self._ask_about_flags(table)
        query = f"SELECT * FROM {self._name(table)}"
        if further:
            query = f"SELECT t.*, {', '.join(further)} FROM {self._name(table)} t{join}"
        lines += [
            "[source.sql.measurements]",
            f"query = {text(query)}",
            f"cell = {text(shown)}",
            f"name = {text(self._test_name(table, key, None if link is None else link.column))}",
            f"key = {text(parameter)}",
        ]
        if sample_table is not None:
            lines.append(f"table = {text(sample_table)}")
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
        return [f'# start_time = {{ column = {text(column)}, zone = "Europe/Berlin" }}']

    def _from_samples(self, table: str, key: str | None) -> list[str]:
        """Return cells and measurements, where only the samples name them."""
        if key is None:
            self._questions.append(f"measurements.key: no column of {table} distinguishes tests")
            key = "?"
        parameter = _parameter(key)
        shown = self._name(key) if parameter == key else f"{self._name(key)} AS {parameter}"
        query = f"SELECT DISTINCT {shown} FROM {self._name(table)}"
        return [
            *self._cells(table, key, is_own=False),
            "[source.sql.measurements]",
            f"query = {text(query)}",
            f"cell = {text(parameter)}",
            f"name = {text(f'test {{{parameter}}}')}",
            f"key = {text(parameter)}",
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
            stated = f"specification = {text('{' + spec + '}')}"
        lines = [
            "[source.sql.cells]",
            f"query = {text(f'SELECT {chosen} FROM {self._name(table)}')}",
            f"key = {text(key)}",
            stated,
        ]
        for column in columns if is_own else ():
            base, unit = names.unit_of(column, ("A.h", "mA.h"))
            if base in names.RATED and unit is not None:
                lines.append(f'rated_capacity = {{ column = {text(column)}, unit = "{unit}" }}')
                break
        return [*lines, ""]

    def _samples(
        self,
        table: str,
        key: tuple[str, str] | None,
        *,
        long: LongTable | None = None,
        rows: Sequence[Row] = (),
    ) -> list[str]:
        """Return the samples' query; ``key``: its column, and that of the measurement.

        ``rows``: some samples of the long shape.
        """
        columns = self._tables.columns[table]
        found = quantities(columns) if long is None else long.found
        where = "" if key is None else f" WHERE {self._name(key[0])} = :{_parameter(key[1])}"
        source = "{table}" if key is None and self._is_named() else self._name(table)
        kinds = self._tables.kinds(table)
        if long is None:
            order = self._tables.counting(table) or found[terms.TIME].column
        else:
            order = long.order or "?"
            kinds = {one: kind for one, kind in kinds.items() if one not in long.taken}
            kinds |= {one.column: ValueKind.NUMBER for one in found.values()}
        self._ask_about_flags(table)
        meant = SampleColumns(
            table=table,
            kinds=kinds,
            order=order,
            rows=self._tables.rows(table) if long is None else rows,
            codes={} if long is None else long.in_toml,
            found=found,
            evidence=self._evidence,
            questions=self._questions,
        )
        return [
            "[source.sql.samples]",
            f"query = {text(f'SELECT * FROM {source}{where}')}",
            f"order = [{text(order)}]",
            *([] if long is None else long.shape()),
            "",
            "[source.sql.samples.columns]",
            *meant.lines(frozenset({order, *(() if key is None else (key[0],))})),
        ]

    def _ask_about_flags(self, table: str) -> None:
        """Ask about columns that say which rows are to be taken for gone."""
        for column in self._tables.columns[table]:
            held = set(self._tables.values(table, column))
            if names.folded(column) in names.FLAGS and len(held) > 1:
                question = (
                    f"{table}.{column}: differs between rows, and all are taken; leave out by "
                    "WHERE those that count as deleted"
                )
                if question not in self._questions:
                    self._questions.append(question)

    def _is_named(self) -> bool:
        return any("names tables of samples" in one for one in self._evidence)

    def _name(self, identifier: str) -> str:
        """Return an identifier as a query has it: quoted where it has to be."""
        if _PLAIN.fullmatch(identifier) and identifier not in _RESERVED:
            return identifier
        return identifier if identifier == "?" else self._tables.database.quote(identifier)


def _parameter(column: str) -> str:
    """Return the name of a column's value in a query: no parameter has a blank in its name."""
    return column if column == "?" or column.isidentifier() else "test_key"


def _is_samples(columns: Sequence[str]) -> bool:
    return all(name in quantities(columns) for name in _NEEDED)
