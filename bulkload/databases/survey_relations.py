"""How the tables of a home-made database belong together: told by the values in their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from bulkload.databases import survey_names as names
from bulkload.databases.engines.base import Database, ValueKind

_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
#: Rows of a table that are looked at.
LOOKED_AT_ROWS: Final = 5000

Row = Mapping[str, Any]


class Link(NamedTuple):
    """A column whose values are those of another table's key."""

    column: str
    table: str
    key: str


class Naming(NamedTuple):
    """A column whose values name the tables of samples, behind a prefix that may be empty."""

    table: str
    column: str
    prefix: str
    tables: frozenset[str]


@dataclass(slots=True)
class Tables:
    """The tables with their columns, and some rows of each, read once."""

    database: Database
    columns: Mapping[str, Sequence[str]]
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the first rows of a table."""
        if table not in self._rows:
            quoted = self.database.quote(table)
            query = f"SELECT * FROM {quoted} LIMIT {LOOKED_AT_ROWS}"
            self._rows[table] = self.database.rows(query)
        return self._rows[table]

    def kinds(self, table: str) -> Mapping[str, ValueKind]:
        """Return what a table's columns hold."""
        return self.database.kinds(f"SELECT * FROM {self.database.quote(table)}")

    def count(self, table: str) -> int:
        """Return the number of a table's rows."""
        quoted = self.database.quote(table)
        return int(self.database.rows(f"SELECT COUNT(*) AS n FROM {quoted}")[0]["n"])

    def values(self, table: str, column: str) -> list[Any]:
        """Return a column's values in those rows, without NULL; arrays and documents as text."""
        found = (row[column] for row in self.rows(table) if row[column] is not None)
        return [str(one) if isinstance(one, list | dict) else one for one in found]

    def counting(self, table: str) -> str | None:
        """Return the first column that is called a record's number, and holds several numbers."""
        for column in self.columns[table]:
            held = {str(one) for one in self.values(table, column)}
            is_counting = len(held) > 1 and all(_NUMBER.fullmatch(one) for one in held)
            if names.folded(column) in names.ORDER and is_counting:
                return column
        return None

    def is_unique(self, table: str, column: str) -> bool:
        """Return whether a column has another value in every row."""
        found = self.values(table, column)
        return bool(found) and len(set(found)) == len(found) == len(self.rows(table))

    def link(self, table: str, candidates: Sequence[str], others: Sequence[str]) -> Link | None:
        """Return the link of a table to one of the others that its values and names support.

        Every value has to be one of the other table's key; among several the names decide.
        """
        found: list[tuple[int, Link]] = []
        for column in candidates:
            held = set(self.values(table, column))
            for other in others:
                for key in self.columns[other]:
                    score = _affinity(column, other, key)
                    if held and score and held <= set(self.values(other, key)):
                        found.append((score + self.is_unique(other, key), Link(column, other, key)))
        best = max(found, key=lambda one: one[0], default=None)
        if best is None or not self.is_unique(best[1].table, best[1].key):
            return None
        return best[1]

    def names_tables(self, samples: Sequence[str]) -> Naming | None:
        """Return the column whose values are, or end, the names of tables of samples."""
        found = []
        for table, columns in self.columns.items():
            for column in [] if table in samples or len(samples) < 2 else columns:
                held = {str(value) for value in self.values(table, column)}
                for prefix in {_prefix(one, held) for one in samples}:
                    named = {f"{prefix}{value}" for value in held}
                    if prefix is not None and named and named <= set(samples):
                        found.append(Naming(table, column, prefix, frozenset(named)))
        # That which names the most; a whole name rather than the end of one.
        return max(found, key=lambda one: (len(one.tables), not one.prefix), default=None)


def _prefix(name: str, ends: set[str]) -> str | None:
    """Return what stands before the longest of these ends in a name, None for none of them."""
    found = [end for end in ends if end and name.endswith(end)]
    return name.removesuffix(max(found, key=len)) if found else None


def _affinity(column: str, table: str, key: str) -> int:
    """Return how well a column's name fits a key of a table: ``test_id`` and ``tests.id``."""
    mine, theirs, whole = names.folded(column), names.folded(table), names.folded(key)
    if mine == whole and mine not in {"id", "name", "n", "nr"}:
        return 4
    stem = mine.removesuffix(" id").removesuffix(" nr").removesuffix(" no").replace(" ", "")
    singular = {
        theirs,
        theirs.removesuffix("s"),
        theirs.removesuffix("es"),
        theirs.removesuffix("n"),
        f"{theirs.removesuffix('ies')}y",
    }
    if stem and stem in {one.replace(" ", "") for one in singular} and whole in _KEYS:
        return 3
    if mine.replace(" ", "") in {f"{one}{whole}".replace(" ", "") for one in singular}:
        return 3
    if stem and whole.replace(" ", "").startswith(stem):
        return 2
    shared = any(
        words.search(mine) and words.search(theirs)
        for words in (names.CELL_WORDS, names.TEST_WORDS)
    )
    return 1 if shared and whole in _KEYS else 0


_KEYS: Final = frozenset({"id", "nr", "no", "number", "name", "key", "code", "serial", "nummer"})
