"""A database's plan: its cells, its measurements with their sums, and what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bulkload.databases.asking import Asking, asking, query_sums
from bulkload.databases.cells import Cells
from bulkload.databases.clocks import start_of_value
from bulkload.databases.columns import RawColumns, raw_columns
from bulkload.databases.configuration import SamplesQuery, SqlSource, StartTime
from bulkload.databases.measurement import (
    READ_SUFFIX,
    SUFFIX,
    MeasurementFile,
    file_name,
    write_measurement,
)
from bulkload.databases.one_pass import Key, has_one_pass, read_in_one_pass
from bulkload.databases.planned import (
    LeftOut,
    PlanFault,
    Planned,
    PlannedCell,
    PlannedMeasurement,
    SourceFacts,
    write_facts,
)
from bulkload.databases.query import QueryError, filled, parameters, placeholders
from bulkload.databases.rows import filled_pattern, filtered, value
from bulkload.databases.session import NO_SNAPSHOT, NO_SNAPSHOT_TEXT, Session, moment_of
from bulkload.databases.sums import Sums
from bulkload.databases.totals import account_for, tables_in, tables_of_rows
from bulkload.databases.unused import Unused
from bulkload.errors import PlanError, UnreadableError


class Planner:
    """Plans one source."""

    def __init__(self, session: Session, where: Path) -> None:
        self._session = session
        self._source = session.source
        self._where = where
        self._columns: dict[tuple[str, ...], RawColumns] = {}
        self._written: set[Path] = set()
        self._unused = Unused(self._source)
        #: Sums of the tests that one pass has read, by the stem of the measurement's file.
        self._passed: Mapping[str, Sums] = {}
        #: What waits for the sums that were asked for ahead, by the stem too.
        self._ahead: dict[str, Callable[[], Sums]] = {}
        self._catalogue: frozenset[str] = frozenset()
        #: The tables that the samples query names itself.
        self._sampled: set[str] = set()
        self.facts: SourceFacts | None = None

    def plan(self) -> Iterator[Planned]:
        """Yield the plan; raises ``PlanError`` for what concerns the whole source.

        Side effects: a file a measurement, ``migration.json`` when the last was yielded, and
        the session shared with workers.
        """
        source, database = self._source, self._session.database
        yield from self._password_warning()
        self._catalogue = database.tables()
        if source.samples is not None:
            self._sampled = tables_in(source.samples.query, self._catalogue)
        self._lock()
        facts = self._begin_facts()
        for warning in self._session.warnings:
            facts.exceptions.append(warning)
            yield PlanFault(
                where=str(self._where), rule="database", message=warning, is_warning=True
            )
        cells = Cells(source, database.rows(source.cells.query))
        yield from cells.faults(str(self._where))
        rows = _sorted_rows(database.rows(source.measurements.query), source)
        yield from self._row_faults(rows, cells)
        self._session.share()
        planned: list[tuple[dict[str, Any], PlannedCell]] = []
        for row in rows:
            reason = cells.why_left_out(row) or filtered(row, source.measurements.only)
            if reason:
                self._leave_out(row, reason, facts)
                yield LeftOut(where=self._place(row), rule=reason)
            elif (cell := cells.of(row)) is not None:
                planned.append((row, cell))
        if not planned:
            raise PlanError(
                f"{self._where}: the database gives {len(cells.rows):,} cells and "
                f"{len(rows):,} measurements, and none to migrate; look at the queries and filters"
            )
        self._read_in_one_pass([row for row, _ in planned])
        with asking(self._session, len(planned)) as asked:
            self._ask_ahead(asked, [row for row, _ in planned])
            for row, cell in planned:
                yield from self._measurement(row, cell, facts)
        facts.exceptions += self._unused.sentences()
        if source.samples is not None:
            named = self._sampled | (tables_of_rows(source, rows) & self._catalogue)
            message = account_for(database, source.samples, sorted(named), facts)
            if message:
                yield PlanFault(
                    where=str(self._where),
                    rule="rows_unaccounted",
                    message=message,
                    is_warning=True,
                )
        self._forget_others()
        write_facts(self._session.folder, facts)
        self.facts = facts

    def _password_warning(self) -> Iterator[PlanFault]:
        if self._session.url.stated_password is not None:
            yield PlanFault(
                where=str(self._where),
                rule="password_in_url",
                message="the URL holds a password; it is kept out of plan, journal and reports, "
                "but the file has it: take it out and set BULKLOAD_SQL_PASSWORD",
                is_warning=True,
            )

    def _begin_facts(self) -> SourceFacts:
        source, database = self._source, self._session.database
        snapshot = moment_of(source, database)
        samples = source.samples
        return SourceFacts(
            url=self._session.url.masked,
            version=database.version(),
            snapshot_id=snapshot.id,
            snapshot_time=snapshot.taken_at,
            configuration_sha256=source.digest(),
            profile=source.profile,
            queries=source.queries,
            mapping={}
            if samples is None
            else {n: c.model_dump(exclude_none=True) for n, c in samples.columns.items()},
            order=() if samples is None else samples.order,
            exceptions=[NO_SNAPSHOT_TEXT] if snapshot is NO_SNAPSHOT else [],
        )

    def _lock(self) -> None:
        """Lock what the queries name, and the tables that rows name, before a moment is taken."""
        if not self._session.is_shared:
            return
        source, database, catalogue = self._source, self._session.database, self._catalogue
        named = set().union(*(tables_in(query, catalogue) for query in source.queries.values()))
        if source.measurements.table:
            named |= tables_of_rows(source, database.rows(source.measurements.query))
        begin_again = getattr(database, "begin_again", None)
        if begin_again is not None:
            begin_again()
        database.lock(sorted(named & catalogue))

    def _row_faults(self, rows: Sequence[Mapping[str, Any]], cells: Cells) -> Iterator[PlanFault]:
        seen: dict[tuple[str, ...], Mapping[str, Any]] = {}
        for row in rows:
            place = self._place(row)
            cell = value(row, self._source.measurements.cell)
            values = [value(row, name) for name in self._source.measurements.key]
            if cell is None or None in values:
                message = f"{place}: its cell or a part of its key is NULL; its rows belong nowhere"
                yield PlanFault(where=place, rule="cell_missing", message=message)
            elif not cells.knows(row):
                message = f"{place}: the cells query gives no cell {str(cell)!r}"
                yield PlanFault(where=place, rule="cell_missing", message=message)
            key = tuple(str(one).strip().casefold() for one in values)
            if key in seen:
                message = (
                    f"{place}: another measurement has this key, or one that differs only in "
                    "trailing blanks or case"
                )
                yield PlanFault(where=place, rule="key_doubled", message=message)
            seen[key] = row

    def _place(self, row: Mapping[str, Any]) -> str:
        """Return where a person finds a measurement: its database, its tables, its key."""
        own = tables_of_rows(self._source, [row]) & self._catalogue
        tables = ", ".join(sorted(self._sampled | own))
        key = ", ".join(f"{n}={value(row, n)}" for n in self._source.measurements.key)
        return f"{self._session.url.masked}{' ' if tables else ''}{tables} ({key})"

    def _measurement(
        self, row: Mapping[str, Any], cell: PlannedCell, facts: SourceFacts
    ) -> Iterator[Planned]:
        source, place = self._source, self._place(row)
        name = filled_pattern(source.measurements.name, row, "measurements.name")
        try:
            start = _start(row, source.measurements.start_time)
        except UnreadableError as error:
            yield PlanFault(where=place, rule="bad_value", message=f"{place}: {error}")
            return
        if source.measurements.file is not None:
            file = value(row, source.measurements.file)
            if file is None:
                message = f"{place}: {source.measurements.file} is NULL, and names no file"
                yield PlanFault(where=place, rule="path_missing", message=message)
                return
            path = Path(str(file))
            full = path if path.is_absolute() else source.base / path
            yield PlannedMeasurement(
                where=place, cell=cell, name=name, path=full, is_file=True, start_time=start
            )
            return
        try:
            sql = self._sql(row)
        except QueryError as error:
            yield PlanFault(
                where=place, rule="bad_value", message=f"{place}: samples.query {error}"
            )
            return
        except PlanError as error:
            yield PlanFault(where=place, rule="bad_value", message=f"{place}: {error}")
            return
        file_path, sums = self._write(row, sql)
        self._unused.add(self._session.database, sql)
        facts.rows_planned += sums.rows
        yield PlannedMeasurement(
            where=place, cell=cell, name=name, path=file_path, is_file=False, start_time=start
        )

    def _write(self, row: Mapping[str, Any], sql: str) -> tuple[Path, Sums]:
        fault = ("", "")
        sums = Sums()
        try:
            sums = self._sums(row, sql)
            fault = _fault_in(sums)
        except UnreadableError as error:
            fault = (str(error), error.cause)
        path = write_measurement(
            self._session.folder,
            MeasurementFile(
                configuration=str(self._where.absolute()),
                configuration_sha256=self._source.digest(),
                key=self._key(row),
                sql=sql,
                sums=sums,
                fault=fault[0],
                fault_cause=fault[1],
            ),
        )
        self._written.add(path)
        return path, sums

    def _forget_others(self) -> None:
        """Delete the files of measurements that the database no longer gives."""
        for path in self._session.folder.glob(f"*{SUFFIX}"):
            if path not in self._written:
                path.unlink()
                path.with_suffix(READ_SUFFIX).unlink(missing_ok=True)

    def _ask_ahead(self, asked: Asking, rows: Iterable[Mapping[str, Any]]) -> None:
        """Have the sums of all measurements asked for that can be."""
        if self._source.samples is None:
            return
        for row in rows:
            # What fails here fails again in its turn, and is a fault then.
            with suppress(QueryError, PlanError, UnreadableError):
                if not self._sums_of_pass(row).rows:
                    sql = self._sql(row)
                    self._ahead[self._stem(row)] = asked.sums(sql, self._columns_of(row, sql))

    def _sums(self, row: Mapping[str, Any], sql: str) -> Sums:
        columns = self._columns_of(row, sql)
        # A test of which the pass found no row is asked for by itself.
        if (passed := self._sums_of_pass(row)).rows:
            return passed
        ahead = self._ahead.pop(self._stem(row), None)
        return query_sums(self._session.database, sql, columns) if ahead is None else ahead()

    def _sums_of_pass(self, row: Mapping[str, Any]) -> Sums:
        return self._passed.get(self._stem(row), Sums())

    def _columns_of(self, row: Mapping[str, Any], sql: str) -> RawColumns:
        tables = tuple(str(value(row, one)) for one in self._source.measurements.table)
        if tables not in self._columns:
            kinds = self._session.database.kinds(sql)
            self._columns[tables] = raw_columns(self._samples, kinds)
        return self._columns[tables]

    def _stem(self, row: Mapping[str, Any]) -> str:
        return Path(file_name(self._key(row))).stem

    def _key(self, row: Mapping[str, Any]) -> dict[str, str]:
        return {name: str(value(row, name)) for name in self._source.measurements.key}

    def _read_in_one_pass(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._source.samples is None:
            return
        first = self._sql(rows[0])
        if not has_one_pass(self._session, first, len(rows)):
            return
        names = parameters(self._samples.query)
        keys = [
            Key(values={name: value(row, name) for name in names}, stem=self._stem(row))
            for row in rows
        ]
        columns = raw_columns(self._samples, self._session.database.kinds(first))
        self._passed = read_in_one_pass(self._session, self._samples.query, keys, columns)

    @property
    def _samples(self) -> SamplesQuery:
        assert self._source.samples is not None
        return self._source.samples

    def _sql(self, row: Mapping[str, Any]) -> str:
        database = self._session.database
        return samples_sql(self._source, row, self._catalogue, database.literal, database.quote)

    def _leave_out(self, row: Mapping[str, Any], reason: str, facts: SourceFacts) -> None:
        rows = 0
        if self._source.samples is not None:
            try:
                sql = self._sql(row)
                found = self._session.database.rows(f"SELECT COUNT(*) AS n FROM ({sql}) bl_s")
                rows = int(found[0]["n"])
            except (QueryError, PlanError, UnreadableError):
                reason = f"{reason}; its rows cannot be counted"
        key = self._key(row)
        cell = str(value(row, self._source.measurements.cell))
        facts.left_out.append({"cell": cell, "key": key, "reason": reason, "rows": rows})


def samples_sql(
    source: SqlSource, row: Mapping[str, Any], catalogue: frozenset[str], literal: Any, quote: Any
) -> str:
    """Return the samples query of one measurement; ``PlanError`` for an unknown table."""
    assert source.samples is not None
    tables: dict[str, str] = {}
    for column in source.measurements.table:
        name = str(value(row, column))
        if name not in catalogue:
            raise PlanError(f"{column} names the table {name!r}, which the database does not have")
        tables[column] = name
    if "table" in placeholders(source.samples.query) and source.measurements.table:
        tables["table"] = tables[source.measurements.table[0]]
    values = {name.casefold(): found for name, found in row.items()}
    given = _Folded(values)
    return filled(source.samples.query, given, tables, literal=literal, quote=quote)


class _Folded(dict[str, Any]):
    """A row by its columns' names, whatever their case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.casefold(), default)

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.casefold())


def _fault_in(sums: Sums) -> tuple[str, str]:
    """Return what makes a measurement impossible to read as it is: the count, and the cause."""
    for column in sums.columns:
        if column.improper:
            message = (
                f"{column.improper:,} values of {column.name} are none of its kind (text, blob or "
                "whole numbers beyond 2^53 among numbers, zero or infinite dates); say in the "
                "query what they mean"
            )
            return message, "improper_value"
    return "", ""


def _sorted_rows(rows: list[dict[str, Any]], source: SqlSource) -> list[dict[str, Any]]:
    """Put rows in an order of their own: no database gives them twice in the same."""
    return sorted(
        rows,
        key=lambda row: (
            str(value(row, source.measurements.cell)),
            *(str(value(row, name)) for name in source.measurements.key),
        ),
    )


def _start(row: Mapping[str, Any], stated: StartTime | None) -> str | None:
    if stated is None:
        return None
    return start_of_value(
        value(row, stated.column), zone=stated.zone, ticks=stated.ticks, what=stated.column
    )
