"""What every engine can do for a migration: say what it holds, stream it, and add it up exactly.

The sums are of whole numbers: a float sum depends on the order of its terms, a sum of rounded
integers is the same digit for digit in every engine and in numpy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from bulkload.errors import PlanError, UnreadableError

#: Cause of a measurement whose database went away: the same measurement may fare better later.
DATABASE_LOST: Final = "database_lost"
#: Largest product of a value and its scale that is added up: below what an int64 holds.
LARGEST_TERM: Final = 9e18
#: Halves of a sum: no engine's int64 overflows on the sum of either.
HALF: Final = 2**32


class DatabaseLostError(UnreadableError):
    """The connection broke, or the server is not there: nothing that was read of it counts."""

    def __init__(self, message: str) -> None:
        super().__init__(message, cause=DATABASE_LOST)


class ValueKind(StrEnum):
    """What a column of a query holds."""

    NUMBER = "number"
    INTEGER = "integer"
    TEXT = "text"
    #: Date and time without a zone.
    LOCAL_TIME = "local time"
    #: A moment.
    INSTANT = "instant"
    #: The engine types values, not columns.
    ANY = "any"
    OTHER = "other"


class Fetch(StrEnum):
    """As what a column is fetched."""

    NUMBER = "number"
    #: A 64-bit integer, never by way of a double.
    WHOLE = "whole"
    #: Microseconds since 1970, of the local clock where the column states no zone.
    MICROSECONDS = "microseconds"
    TEXT = "text"
    #: The code of an enumeration: whatever it is, as text.
    CODE = "code"


class Rounding(StrEnum):
    """How an engine rounds halves."""

    TO_EVEN = "to even"
    AWAY_FROM_ZERO = "away from zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawColumn:
    """A column of the samples query, as it is fetched and added up."""

    name: str
    fetch: Fetch
    kind: ValueKind
    #: What a value is multiplied by before it is rounded and added; None: not added up.
    scale: float | None = None
    #: Long shape: the column of the code, and the code whose rows hold this column's values.
    code_column: str | None = None
    code: str | None = None

    @property
    def type(self) -> pa.DataType:
        """The type of what is fetched."""
        if self.fetch is Fetch.NUMBER:
            return pa.float64()
        return pa.int64() if self.fetch in {Fetch.WHOLE, Fetch.MICROSECONDS} else pa.string()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """The moment that a session sees."""

    id: str
    #: ISO 8601, UTC, by the database's clock.
    taken_at: str


class Database(ABC):
    """An open, read-only session that sees one moment of a database."""

    rounding: Rounding = Rounding.TO_EVEN
    #: Whether a value too large for an integer fails the query, rather than change.
    fails_on_overflow = False
    #: Whether sums are added up in parallel where no distinct keys are counted with them.
    counts_keys_apart = False
    #: What keeps the engine from computing an inner query's columns anew at each use.
    barrier = ""

    # What the database is.

    @abstractmethod
    def version(self) -> str:
        """Return the engine's name and version."""

    @property
    @abstractmethod
    def snapshot(self) -> SnapshotInfo:
        """The moment that this session sees."""

    @abstractmethod
    def tables(self) -> frozenset[str]:
        """Return the tables and views that can be named, with and without their schema."""

    @abstractmethod
    def lock(self, tables: Sequence[str]) -> None:
        """Keep these tables from being emptied or rebuilt while the session lasts."""

    # Reading.

    @abstractmethod
    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""

    @abstractmethod
    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold, without running it to its end."""

    @abstractmethod
    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query whose columns have these types; raises where a value does not fit."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    # Its dialect.

    def quote(self, name: str) -> str:
        """Return a name as an identifier, part by part where it has a schema."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))

    def literal(self, value: Any) -> str:
        """Return a value as a literal."""
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int | Decimal):
            return str(value)
        if isinstance(value, float):
            return repr(value)
        if isinstance(value, str | UUID):
            return self.text_literal(str(value))
        if isinstance(value, datetime):
            return self.text_literal(value.isoformat(" "))
        if isinstance(value, date):
            return self.text_literal(value.isoformat())
        raise PlanError(f"a key of the type {type(value).__name__} cannot be used in a query")

    def text_literal(self, text: str) -> str:
        """Return a text as a literal."""
        if "\0" in text:
            raise PlanError("a key holds a NUL character, which no query can carry")
        return "'" + text.replace("'", "''") + "'"

    @abstractmethod
    def plain_expression(self, column: RawColumn) -> str:
        """Return the SQL that fetches a column of ``bl_s`` without changing it."""

    def expression(self, column: RawColumn) -> str:
        """Return the SQL of a column; in the long shape, of the values that are its own."""
        plain = self.plain_expression(column)
        if column.code_column is None:
            return plain
        code = RawColumn(name=column.code_column, fetch=Fetch.CODE, kind=ValueKind.ANY)
        own = f"{self.plain_expression(code)} = {self.text_literal(column.code or '')}"
        return f"CASE WHEN {own} THEN {plain} END"

    @abstractmethod
    def rounded(self, term: str) -> str:
        """Return the SQL of a double rounded to a 64-bit integer."""

    def improper(self, column: RawColumn) -> str | None:
        """Return the SQL that tells a value that is none of its kind, or None."""
        del column
        return None

    @abstractmethod
    def byte_length(self, term: str) -> str:
        """Return the SQL of a text's length in bytes."""

    def halves(self, term: str) -> tuple[str, str]:
        """Return the SQL of the two halves of a whole number."""
        return f"({term}) / {HALF}", f"({term}) % {HALF}"

    def distinct(self, columns: Sequence[str]) -> str:
        """Return the SQL that counts the distinct values of several columns together."""
        if len(columns) == 1:
            return f"COUNT(DISTINCT {columns[0]})"
        return f"COUNT(DISTINCT ({', '.join(columns)}))"

    # The queries that are made of the user's.

    def samples_sql(self, query: str, columns: Sequence[RawColumn]) -> str:
        """Return the query of the samples, its columns fetched without a change."""
        chosen = ", ".join(f"{self.expression(c)} AS c{i}" for i, c in enumerate(columns))
        return f"SELECT {chosen} FROM ({query}) bl_s"

    def hand_sql(self, query: str, columns: Sequence[RawColumn], order: Sequence[str]) -> str:
        """Return a query of the main sums that a person can read, and run."""
        keys = [f"bl_s.{self.quote(name)}" for name in order]
        lines = [f"COUNT(*) AS {self.quote('rows')}", f"{self.distinct(keys)} AS distinct_keys"]
        for column in columns:
            if column.scale is None or column.fetch is not Fetch.NUMBER:
                continue
            value = self.expression(column)
            total = f"SUM({self.rounded(f'{value} * {column.scale!r}')})"
            lines.append(f"COUNT({value}) AS {self.quote(f'{column.name} values')}")
            lines.append(f"{total} AS {self.quote(f'{column.name} isum')}")
        listed = ",\n       ".join(lines)
        return f"SELECT {listed}\nFROM ({query}) bl_s"

    def sums_sql(
        self,
        query: str,
        columns: Sequence[RawColumn],
        order: Sequence[str],
        *,
        key: str = "",
        is_guarded: bool = True,
    ) -> str:
        """Return the query that counts and adds up what ``samples_sql`` gives.

        With ``key``, a column of the query, there is a row for each of its values. Without
        ``is_guarded`` it takes half the time, and fails where a value has no sum.
        """
        summed = [c for c in columns if c.scale is not None]
        inner = [f"{self.expression(c)} AS c{i}" for i, c in enumerate(summed)]
        inner += [f"bl_s.{self.quote(name)} AS o{i}" for i, name in enumerate(order)]
        within, outer = [], ["COUNT(*) AS n"]
        for i, column in enumerate(summed):
            within.append(f"c{i}")
            within.append(f"{self._term(f'c{i}', column, is_guarded=is_guarded)} AS k{i}")
            outer += self._aggregates(i, column)
        for i, column in enumerate(summed):
            if (improper := self.improper(column)) is not None:
                inner.append(f"CASE WHEN {improper} THEN 1 ELSE 0 END AS t{i}")
                within.append(f"t{i}")
                outer.append(f"SUM(t{i}) AS improper{i}")
        if order:
            within += [f"o{i}" for i in range(len(order))]
            outer += self._counts_of_keys(order)
        grouping = ""
        if key:
            inner.append(f"bl_s.{self.quote(key)} AS bl_key")
            within.append("bl_key")
            outer.append("bl_key")
            grouping = " GROUP BY bl_key"
        inside = f"SELECT {', '.join(inner)} FROM ({query}) bl_s{self.barrier}"
        terms = f"SELECT {', '.join(within)} FROM ({inside}) bl_t{self.barrier}"
        return f"SELECT {', '.join(outer)} FROM ({terms}) bl_u{grouping}"

    def keys_sql(self, query: str, order: Sequence[str], *, key: str = "") -> str:
        """Return the query of the counts of order keys alone; with ``key`` as in ``sums_sql``."""
        inner = [f"bl_s.{self.quote(name)} AS o{i}" for i, name in enumerate(order)]
        outer, grouping = self._counts_of_keys(order), ""
        if key:
            inner.append(f"bl_s.{self.quote(key)} AS bl_key")
            outer.append("bl_key")
            grouping = " GROUP BY bl_key"
        inside = f"SELECT {', '.join(inner)} FROM ({query}) bl_s"
        return f"SELECT {', '.join(outer)} FROM ({inside}) bl_t{grouping}"

    def _counts_of_keys(self, order: Sequence[str]) -> list[str]:
        names = [f"o{i}" for i in range(len(order))]
        is_missing = " OR ".join(f"{name} IS NULL" for name in names)
        return [
            f"{self.distinct(names)} AS distinct_keys",
            f"SUM(CASE WHEN {is_missing} THEN 1 ELSE 0 END) AS null_keys",
        ]

    def _term(self, name: str, column: RawColumn, *, is_guarded: bool) -> str:
        """Return the SQL of what is added up of a value; NULL where that has no sum."""
        assert column.scale is not None
        match column.fetch:
            case Fetch.NUMBER if is_guarded:
                limit = LARGEST_TERM / column.scale
                return f"CASE WHEN {name} > {-limit!r} AND {name} < {limit!r} THEN {name} END"
            case Fetch.TEXT | Fetch.CODE:
                return self.byte_length(name)
            case _:
                return name

    def _aggregates(self, i: int, column: RawColumn) -> list[str]:
        assert column.scale is not None
        term = f"k{i}"
        if column.fetch is Fetch.NUMBER:
            term = self.rounded(f"k{i} * {column.scale!r}")
        high, low = self.halves(term)
        return [
            *(f"COUNT(c{i}) AS values{i}", f"COUNT(k{i}) AS summed{i}"),
            *(f"MIN(k{i}) AS min{i}", f"MAX(k{i}) AS max{i}"),
            *([f"SUM({high}) AS high{i}"] if high else []),
            f"SUM({low}) AS low{i}",
        ]
