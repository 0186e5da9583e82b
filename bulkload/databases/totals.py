"""The rows of the tables of samples, held against what the measurements of a plan account for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from bulkload.databases.configuration import SamplesQuery, SqlSource
from bulkload.databases.engines.base import Database
from bulkload.databases.planned import SourceFacts
from bulkload.databases.query import placeholders, tables_named
from bulkload.databases.rows import value
from bulkload.errors import PlanError

Row = Mapping[str, Any]


def tables_in(query: str, catalogue: frozenset[str]) -> set[str]:
    """Return the tables of the catalogue that a query names."""
    named = tables_named(query)
    return {table for table in catalogue if table.lower() in named}


def tables_of_rows(source: SqlSource, rows: Iterable[Row]) -> set[str]:
    """Return the tables that rows of the measurements query name."""
    return {str(value(row, one)) for row in rows for one in source.measurements.table}


def account_for(
    database: Database, samples: SamplesQuery, named: Sequence[str], facts: SourceFacts
) -> str:
    """Hold the samples of a plan against the tables named; return what differs, or nothing.

    Side effects: counts and exceptions in ``facts``.
    """
    for name in named:
        facts.tables[name] = _number(database, f"SELECT COUNT(*) AS n FROM {database.quote(name)}")
    total = _total(database, samples, facts.tables)
    if total is None:
        return ""
    claimed = facts.rows_planned + sum(one["rows"] for one in facts.left_out)
    facts.unaccounted = total - claimed
    facts.unclaimed = samples.unclaimed or ""
    if claimed == total:
        return ""
    what = "rows" if samples.total is None else "samples"
    message = (
        f"{', '.join(named)} hold {total:,} {what}, and the measurements and what is left out "
        f"account for {claimed:,}: {what_differs(facts)}"
    )
    if facts.unclaimed:
        message = f"{message} ({facts.unclaimed})"
    facts.exceptions.append(message)
    return message


def _total(database: Database, samples: SamplesQuery, tables: Mapping[str, int]) -> int | None:
    """Return the samples that the tables hold, None where rows of a join do not say it."""
    if samples.total is not None:
        found = [one for row in database.rows(samples.total) for one in row.values()]
        try:
            (number,) = found
            # A numeric comes as its text.
            return int(Decimal(str(number)))
        except (ValueError, InvalidOperation):
            raise PlanError(
                f"samples.total has to give one number, how many samples there are, and not {found}"
            ) from None
    is_of_rows = len(tables) == 1 or placeholders(samples.query)
    return sum(tables.values()) if is_of_rows else None


def what_differs(facts: SourceFacts) -> str:
    """Return what it means that totals differ, and what to do about it."""
    if facts.unaccounted > 0:
        return (
            f"{facts.unaccounted:,} belong to no measurement; list them in the measurements "
            "query, or say in samples.unclaimed why they stay behind"
        )
    return (
        f"{-facts.unaccounted:,} more than there are; where the samples query makes several "
        "samples of a row, give samples.total, a SELECT of how many there are, such as "
        'SELECT SUM(CARDINALITY("values")) FROM the table; else it counts rows twice'
    )


def _number(database: Database, query: str) -> int:
    return int(database.rows(query)[0]["n"])
