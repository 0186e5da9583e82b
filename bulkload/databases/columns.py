"""Which raw columns a mapping needs, as what each is fetched, and what it is multiplied by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bulkload.core import terms
from bulkload.databases.configuration import START_TIME, ColumnMap, SamplesQuery
from bulkload.databases.engines.base import Fetch, RawColumn, ValueKind
from bulkload.databases.units import raw_conversion
from bulkload.errors import PlanError

#: Terms of a sum per Ionworks unit: microseconds of time, 1e-9 of everything else.
_TIME_SCALE: Final = 1e6
_SCALE: Final = 1e9

_CLOCK: Final = frozenset({ValueKind.LOCAL_TIME, ValueKind.INSTANT})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawColumns:
    """The raw columns of a samples query, and which of them is what."""

    all: tuple[RawColumn, ...]
    #: Name in the mapping -> index of its raw column.
    of_mapping: Mapping[str, int]
    #: Indices of the order keys.
    order: tuple[int, ...]
    #: Names of the order keys as the query calls them.
    order_names: tuple[str, ...]


def raw_columns(query: SamplesQuery, kinds: Mapping[str, ValueKind]) -> RawColumns:
    """Hold the mapping against what the query gives; raises ``PlanError`` for what is missing."""
    book = _Book(kinds)
    of_mapping = {name: book.add(_mapped(name, one, query, book)) for name, one in _all(query)}
    order = []
    for name in query.order:
        real = book.real(name, "order")
        known = book.of_name(real)
        order.append(book.add(_order_column(real, kinds[real])) if known is None else known)
    return RawColumns(
        all=tuple(book.columns),
        of_mapping=of_mapping,
        order=tuple(order),
        order_names=tuple(book.real(name, "order") for name in query.order),
    )


def _all(query: SamplesQuery) -> list[tuple[str, ColumnMap]]:
    # Numbers first: an order key that is one of them is fetched once.
    return sorted(query.columns.items(), key=lambda pair: pair[0] == START_TIME)


class _Book:
    """The raw columns collected so far."""

    def __init__(self, kinds: Mapping[str, ValueKind]) -> None:
        self.kinds = kinds
        self.columns: list[RawColumn] = []

    def real(self, name: str, where: str) -> str:
        """Return a column as the query calls it: engines fold the case of names."""
        if name in self.kinds:
            return name
        alike = [one for one in self.kinds if one.casefold() == name.casefold()]
        if len(alike) == 1:
            return alike[0]
        raise PlanError(
            f"samples: {where} names the column {name!r}, and the query gives "
            f"{', '.join(self.kinds)}"
        )

    def add(self, column: RawColumn) -> int:
        """Return the index of a column, added where it is new."""
        for i, known in enumerate(self.columns):
            same = (known.name, known.fetch, known.code) == (column.name, column.fetch, column.code)
            if same and (known.scale is None) == (column.scale is None):
                return i
        self.columns.append(column)
        return len(self.columns) - 1

    def of_name(self, name: str) -> int | None:
        """Return the index of a column that an order key of this name can be."""
        for i, known in enumerate(self.columns):
            if known.name == name and known.code is None and known.fetch is not Fetch.CODE:
                return i
        return None


def _mapped(name: str, one: ColumnMap, query: SamplesQuery, book: _Book) -> RawColumn:
    where = f"columns.{name!r}"
    if one.code is not None:
        assert query.value is not None
        assert query.code is not None
        value = book.real(query.value, "value")
        return RawColumn(
            name=value,
            fetch=Fetch.NUMBER,
            kind=book.kinds[value],
            scale=_scale(name, one),
            code_column=book.real(query.code, "code"),
            code=str(one.code),
        )
    assert one.column is not None
    real = book.real(one.column, where)
    kind = book.kinds[real]
    fetch = _fetch(name, one, kind, where)
    return RawColumn(name=real, fetch=fetch, kind=kind, scale=_scale_of(name, one, fetch))


def _scale_of(name: str, one: ColumnMap, fetch: Fetch) -> float | None:
    if not one.proof:
        return None
    return _scale(name, one) if fetch is Fetch.NUMBER else 1.0


def _fetch(name: str, one: ColumnMap, kind: ValueKind, where: str) -> Fetch:
    if one.codes is not None:
        return Fetch.CODE
    if one.ticks is not None:
        return Fetch.WHOLE
    if kind in _CLOCK:
        return _clock_fetch(name, one, kind, where)
    is_number = one.unit is not None or name in {terms.STEP_FROM_CYCLER, terms.CYCLE_FROM_CYCLER}
    if name in {START_TIME, terms.TIME} and not is_number:
        if kind in {ValueKind.ANY, ValueKind.TEXT} and one.zone is not None:
            return Fetch.TEXT
        raise PlanError(
            f"samples: {where}: {one.column!r} holds {_what(kind)}; state its unit, its ticks "
            "where it counts from 1970, or its zone where it is a date and time"
        )
    if is_number and kind in {ValueKind.TEXT, ValueKind.OTHER}:
        raise PlanError(
            f"samples: {where}: {one.column!r} holds {_what(kind)}, and a number is needed; "
            "cast it in the query, and say there what a decimal comma or an empty text means"
        )
    if kind is ValueKind.OTHER:
        raise PlanError(
            f"samples: {where}: {one.column!r} holds neither numbers nor text; take it apart in "
            "the query"
        )
    return Fetch.NUMBER if is_number or kind is not ValueKind.TEXT else Fetch.TEXT


def _what(kind: ValueKind) -> str:
    return "neither numbers nor text" if kind is ValueKind.OTHER else kind.value


def _clock_fetch(name: str, one: ColumnMap, kind: ValueKind, where: str) -> Fetch:
    if name not in {START_TIME, terms.TIME} or one.unit is not None:
        raise PlanError(f"samples: {where}: {one.column!r} holds date and time, which has no unit")
    if kind is ValueKind.LOCAL_TIME and one.zone is None:
        raise PlanError(
            f"samples: {where}: {one.column!r} holds date and time without a zone; state the zone "
            "of the clock that wrote it, such as zone = 'Europe/Berlin'"
        )
    return Fetch.MICROSECONDS


def _order_column(name: str, kind: ValueKind) -> RawColumn:
    fetch = {
        ValueKind.INTEGER: Fetch.WHOLE,
        ValueKind.LOCAL_TIME: Fetch.MICROSECONDS,
        ValueKind.INSTANT: Fetch.MICROSECONDS,
        ValueKind.TEXT: Fetch.TEXT,
        ValueKind.OTHER: Fetch.TEXT,
    }.get(kind, Fetch.NUMBER)
    return RawColumn(name=name, fetch=fetch, kind=kind, scale=1.0)


def _scale(name: str, one: ColumnMap) -> float | None:
    if not one.proof:
        return None
    if one.unit is None:
        return 1.0
    found = raw_conversion(name, one.unit)
    assert found is not None
    base = _TIME_SCALE if name == terms.TIME else _SCALE
    return float(max(1.0, 10.0 ** round(math.log10(base * found.scale))))
