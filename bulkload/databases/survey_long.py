"""A table in which a row is one value: the codes that it holds, and what each of them means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bulkload.core import terms
from bulkload.databases import survey_names as names
from bulkload.databases.survey_columns import number, numbers, text
from bulkload.databases.survey_names import NamedQuantity, quantities
from bulkload.databases.survey_relations import Tables

#: Rows of each code that are looked at.
LOOKED_AT_OF_CODE: Final = 2000
#: Codes that a column of codes may have.
MAX_CODES: Final = 64
#: Codes of manufacturers, by the folded name of their column.
_KNOWN: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    # Arbin MITS 7, Channel_RawData_Table.
    "data type": {
        "21": (terms.VOLTAGE, "V"),
        "22": (terms.CURRENT, "A"),
        "23": (terms.CHARGE_CAPACITY, "A.h"),
        "24": (terms.DISCHARGE_CAPACITY, "A.h"),
        "25": (terms.CHARGE_ENERGY, "W.h"),
        "26": (terms.DISCHARGE_ENERGY, "W.h"),
    },
}
#: Largest voltage of a cell, in V, with what a module of several may have left out.
_LARGEST_CELL_V: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code, with what the database says of its values."""

    code: str
    rows: int
    low: float | None
    high: float | None
    #: What it is called: by a table of codes, or by itself; empty for a bare number.
    called: str = ""

    @property
    def shown(self) -> str:
        """The code as a sentence has it."""
        values = "no number"
        if self.low is not None and self.high is not None:
            values = f"{self.low:.6g} to {self.high:.6g}"
        called = f" ({self.called})" if self.called not in {"", self.code} else ""
        return f"code {self.code}{called}: {self.rows:,} rows, {values}"

    @property
    def in_toml(self) -> str:
        """The code as TOML has it."""
        return self.code if self.code.isdecimal() else text(self.code)


@dataclass(slots=True, kw_only=True)
class LongTable:
    """A table of samples that holds one value a row."""

    tables: Tables
    table: str
    code: str
    value: str
    #: What the values of one sample share; empty where no column does.
    order: str
    codes: Sequence[Code]
    found: dict[str, NamedQuantity] = field(default_factory=dict)
    #: Codes whose meaning a person has to say, with what their values suggest.
    undecided: dict[Code, str] = field(default_factory=dict)

    @property
    def taken(self) -> frozenset[str]:
        """The columns that do not tell tests apart."""
        return frozenset({self.code, self.value, self.order})

    @property
    def in_toml(self) -> Mapping[str, str]:
        """The codes as TOML has them."""
        return {one.code: one.in_toml for one in self.codes}

    def rows(self, key: str | None) -> list[dict[str, Any]]:
        """Return some samples: the values of each code in a column of its name."""
        database = self.tables.database
        at = [one for one in (key, self.order) if one]
        samples: dict[tuple[Any, ...], dict[str, Any]] = {}
        kept = [one.code for one in self.codes]
        for one in self.codes:
            for row in database.rows(
                f"SELECT * FROM {database.quote(self.table)} WHERE "
                f"{database.quote(self.code)} = {self._literal(one)} LIMIT {LOOKED_AT_OF_CODE}"
            ):
                place = tuple(row[column] for column in at)
                empty = {**{column: row[column] for column in at}, **dict.fromkeys(kept)}
                samples.setdefault(place, empty)[one.code] = row[self.value]
        return [samples[place] for place in sorted(samples, key=_sortable)]

    def _literal(self, one: Code) -> str:
        return one.code if one.code.isdecimal() else self.tables.database.text_literal(one.code)

    def decide(self, rows: Sequence[Mapping[str, Any]], key: str | None) -> Iterator[str]:
        """Find what each code means; yield the evidence. What only values suggest stays open."""
        first = [row for row in rows if key is None or row[key] == rows[0][key]]
        known = _KNOWN.get(names.folded(self.code), {})
        in_row = quantities([one for one in self.tables.columns[self.table] if one != self.value])
        if terms.TIME in in_row:
            self.found[terms.TIME] = in_row[terms.TIME]
        for one in self.codes:
            meant = quantities([one.called]) if one.called else {}
            if one.code in known:
                target, unit = known[one.code]
                self.found.setdefault(target, NamedQuantity(one.code, unit))
                yield f"{one.shown}; {target} in databases of Arbin"
            elif meant and (target := next(iter(meant))) not in self.found:
                self.found[target] = NamedQuantity(one.code, meant[target].unit)
                yield f"{one.shown}; called after {target}"
            else:
                self.undecided[one] = ""
        for one in self.undecided:
            self.undecided[one] = self._suggested(numbers(first, one.code))

    def _suggested(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
        """Return the quantity that values look like, among those that are missing."""
        if len(values) < 2:
            return ""
        is_voltage = np.all(values > 0) and np.median(values) >= 0.5
        if terms.VOLTAGE not in self.found and is_voltage and values.max() <= _LARGEST_CELL_V:
            return f'"{terms.VOLTAGE}" in V'
        if terms.CURRENT not in self.found and values.min() < 0 < values.max():
            return f'"{terms.CURRENT}"'
        if terms.TIME not in self.found and np.all(np.diff(values) >= 0) and values[-1] > values[0]:
            return f'"{terms.TIME}"'
        return ""

    def shape(self) -> Sequence[str]:
        """Return the lines that state the shape."""
        return 'shape = "long"', f"code = {text(self.code)}", f"value = {text(self.value)}"

    def questions(self) -> Iterator[str]:
        """Yield what a person has to say."""
        if not self.order:
            yield f"samples.order: no column of {self.table} is shared by the values of a sample"
        for one, suggested in self.undecided.items():
            looks = f"; its values look like {suggested}" if suggested else ""
            yield f"{one.shown}: which quantity, and in which unit{looks}"
        for name in (terms.TIME, terms.VOLTAGE, terms.CURRENT):
            if name not in self.found and not any(name in one for one in self.undecided.values()):
                yield f"{name}: no code and no column seems to hold it"

    def comments(self) -> Iterator[str]:
        """Yield a line to be filled in for each code that is open."""
        for one, suggested in self.undecided.items():
            name, _, unit = suggested.partition(" in ")
            yield f'# {name or "?"} = {{ code = {one.in_toml}, unit = "{unit or "?"}" }}'


def find_long_table(tables: Tables) -> LongTable | None:
    """Return the largest table of one value a row, None for none."""
    found = [
        (name, *shape)
        for name, columns in tables.columns.items()
        if (shape := names.long_shape(columns))
    ]
    for name, code, value in sorted(found, key=lambda one: -tables.count(one[0])):
        codes = _codes(tables, name, code, value)
        if 0 < len(codes) <= MAX_CODES:
            return LongTable(
                tables=tables,
                table=name,
                code=code,
                value=value,
                order=_order(tables, name, {code, value}),
                codes=codes,
            )
    return None


def _codes(tables: Tables, table: str, code: str, value: str) -> list[Code]:
    database = tables.database
    called = _called(tables, table, code)
    quoted = database.quote(code), database.quote(value)
    rows = database.rows(
        f"SELECT {quoted[0]} AS code, COUNT(*) AS n, MIN({quoted[1]}) AS low, "
        f"MAX({quoted[1]}) AS high FROM {database.quote(table)} WHERE {quoted[0]} IS NOT NULL "
        f"GROUP BY {quoted[0]} ORDER BY COUNT(*) DESC, {quoted[0]} LIMIT {MAX_CODES + 1}"
    )
    return [
        Code(
            code=(name := str(row["code"])),
            rows=int(row["n"]),
            low=number(row["low"]),
            high=number(row["high"]),
            called=called.get(name, "" if name.isdecimal() else name),
        )
        for row in rows
    ]


def _called(tables: Tables, table: str, code: str) -> dict[str, str]:
    """Return what another table calls the codes, with the unit where it has one."""
    others = [one for one in tables.columns if one != table]
    link = tables.link(table, [code], others)
    if link is None:
        return {}
    columns = tables.columns[link.table]
    label, unit = names.named(columns, names.LABELS), names.named(columns, names.UNIT_NAMES)
    if label is None:
        return {}
    return {
        str(row[link.key]): f"{row[label]} {row[unit] or '' if unit else ''}".strip()
        for row in tables.rows(link.table)
    }


def _sortable(place: tuple[Any, ...]) -> list[tuple[bool, float, str]]:
    """Return a key that sorts numbers by their size, and all else as text behind them."""
    found = [(number(one), str(one)) for one in place]
    return [(n is None, 0.0 if n is None else n, shown) for n, shown in found]


def _order(tables: Tables, table: str, taken: set[str]) -> str:
    """Return the column that the values of one sample share: a record's number, else its time."""
    columns = [one for one in tables.columns[table] if one not in taken]
    records = [one for one in columns if names.folded(one) in names.ORDER]
    shared = [one for one in records if not tables.is_unique(table, one)]
    time = quantities(columns).get(terms.TIME)
    return next(iter(shared), "" if time is None else time.column)
