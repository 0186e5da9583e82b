"""What a samples query gives and no column of the mapping holds, for the person who signs."""

from __future__ import annotations

from collections import Counter

from bulkload.databases.configuration import SamplesQuery, SqlSource
from bulkload.databases.engines.base import Database
from bulkload.databases.query import parameters
from bulkload.errors import PlanError, UnreadableError


class Unused:
    """Columns, and in the long shape the rows of codes, that are not migrated."""

    def __init__(self, source: SqlSource) -> None:
        self._samples = source.samples
        self._columns: set[str] | None = None
        self._rows_of_code: Counter[str] = Counter()

    def add(self, database: Database, sql: str) -> None:
        """Look at one measurement; what cannot be asked is that measurement's own fault."""
        if self._samples is None:
            return
        try:
            if self._columns is None:
                self._columns = set(database.kinds(sql))
            if self._samples.shape == "long":
                self._count(database, sql, self._samples)
        except (PlanError, UnreadableError):
            return

    def _count(self, database: Database, sql: str, samples: SamplesQuery) -> None:
        assert samples.code is not None
        code = f"bl_s.{database.quote(samples.code)}"
        counted = f"SELECT {code} AS code, COUNT(*) AS n FROM ({sql}) bl_s GROUP BY {code}"
        known = {str(one.code) for one in samples.columns.values()}
        for row in database.rows(counted):
            if str(row["code"]) not in known:
                self._rows_of_code[str(row["code"])] += int(row["n"])

    def sentences(self) -> list[str]:
        """Return what is not migrated."""
        found = [
            f"the {rows:,} rows of the code {code} are not migrated: no column of the mapping "
            "holds it"
            for code, rows in sorted(self._rows_of_code.items())
        ]
        samples = self._samples
        if samples is None:
            return found
        named = {*samples.order, *parameters(samples.query), samples.code, samples.value}
        used = {*named, *(one.column for one in samples.columns.values())}
        folded = {one.casefold() for one in used if one is not None}
        rest = sorted(one for one in self._columns or () if one.casefold() not in folded)
        if rest:
            found.append(f"columns of the samples query that are not migrated: {', '.join(rest)}")
        return found
