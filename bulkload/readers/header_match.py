"""From a header to a dialect's columns: which column of the file is what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.readers.dialect import (
    REQUIRED,
    SECOND_TIME,
    TELLING,
    TESTS,
    ColumnRule,
    Dialect,
    Kind,
)
from bulkload.readers.units import UNITS, Heading, conversion, is_unit, split_heading

#: Headers with fewer columns are preamble lines.
MIN_COLUMNS: Final = 3


class TwiceError(ValueError):
    """Two columns claim what there can be but one of; the argument is their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A column of the file with what it is."""

    #: Position in the header; names need not be unique.
    index: int
    name: str
    target: str
    kind: Kind
    unit: str | None
    whole: bool = False
    #: The header itself states the unit, or the dialect knows better; else it is the make's habit.
    is_stated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A header held against a dialect."""

    columns: tuple[Matched, ...]
    decisions: tuple[Decision, ...] = ()

    def of(self, target: str) -> Matched | None:
        """Return the column that gives this target."""
        return next((column for column in self.columns if column.target == target), None)


def headings(names: Iterable[str], dialect: Dialect) -> list[Heading]:
    """Split the names of a header the way the dialect writes units."""
    return [
        split_heading(name, slash=dialect.slash_units, suffix=dialect.suffix_units)
        for name in names
    ]


class Named:
    """Names that may be a header's: folded once, for all the dialects that ask."""

    names: tuple[str, ...]

    @cached_property
    def _plain(self) -> frozenset[str]:
        return frozenset(split_heading(name).base for name in self.names)

    @cached_property
    def _slashed(self) -> frozenset[str]:
        return frozenset(split_heading(name, slash=True).base for name in self.names)

    @cached_property
    def _suffixed(self) -> frozenset[str]:
        return frozenset(split_heading(name, suffix=True).base for name in self.names)

    def _bases(self, dialect: Dialect) -> frozenset[str]:
        if dialect.suffix_units:
            return self._suffixed
        return self._slashed if dialect.slash_units else self._plain

    def fits(self, dialect: Dialect) -> bool:
        """Return whether all of the dialect's signature is among the names, units split off."""
        bases = self._bases(dialect)
        # A loop: this is asked of every dialect for every line.
        for group in dialect.signature:  # noqa: SIM110
            if bases.isdisjoint(group):
                return False
        return True

    def lacks(self, dialect: Dialect) -> list[str]:
        """List what of the signature is not."""
        return missing(self._bases(dialect), dialect)


@dataclass(frozen=True)
class HeaderRow(Named):
    """A row of a sheet that may be the header of a table."""

    #: From 0.
    index: int
    names: tuple[str, ...]


def may_be_header(texts: int, filled: int) -> bool:
    """Return by what it holds whether a row may be a header: several texts, few numbers."""
    return texts >= MIN_COLUMNS and 4 * texts >= 3 * filled


def missing(bases: AbstractSet[str], dialect: Dialect) -> list[str]:
    """List what of the signature the header does not hold."""
    return [" or ".join(group) for group in dialect.signature if bases.isdisjoint(group)]


def match(names: Sequence[str], units: Sequence[str | None], dialect: Dialect) -> Match:
    """Hold a header against a dialect: each target gets its preferred column, the first of equals.

    ``units`` are those of a row below the header; None where it has none.
    """
    split = headings(names, dialect)
    places: dict[str, list[int]] = {}
    for index, heading in enumerate(split):
        places.setdefault(heading.base, []).append(index)
    found: list[Matched] = []
    taken: set[int] = set()
    decisions: list[Decision] = []
    for column in (*dialect.columns, *TESTS):
        hits = [
            index
            for wanted in column.names
            for index in places.get(wanted, ())
            if index not in taken
            and _is_usable(column, split[index].unit or units[index])
            and (column.target not in TELLING or split[index].unit is None)
        ]
        if not hits or any(m.target in {column.target, column.unless} for m in found):
            continue
        chosen = hits[0]
        if len(hits) > 1 and split[hits[1]].base == split[chosen].base:
            chosen, evidence = _one_of(column, hits, split)
            if chosen < 0:
                raise TwiceError(names[hits[0]])
            twin = _second_time(column, chosen, hits, names, split)
            if twin is not None:
                taken.add(twin.index)
                found.append(twin)
            decisions.append(
                Decision(
                    code=DecisionCode.COLUMN_TAKEN,
                    detail=f"{split[chosen].base!r} is there more than once: {names[chosen]!r} was "
                    "taken",
                    evidence=evidence,
                    columns=(names[chosen],),
                )
            )
        taken.add(chosen)
        stated = None if column.ignores_unit else split[chosen].unit or units[chosen]
        found.append(
            Matched(
                index=chosen,
                name=names[chosen],
                target=column.target,
                kind=column.kind,
                unit=stated or column.unit,
                whole=column.whole,
                is_stated=stated is not None or column.ignores_unit,
            )
        )
    numbered = _numbered(names, split, dialect, taken)
    return Match(columns=(*found, *numbered), decisions=tuple(decisions))


def _one_of(column: ColumnRule, hits: Sequence[int], split: Sequence[Heading]) -> tuple[int, str]:
    """Return which of several columns of one name is taken, and why; -1 where none can be.

    The time of a test in two units is one time: the finer unit is taken. Of a voltage or a current
    there can be but one.
    """
    same = [index for index in hits if split[index].base == split[hits[0]].base]
    if column.target not in REQUIRED:
        return same[0], "order of the columns"
    steps = [conversion(column.target, split[index].unit or "") for index in same]
    scales = [step.scale for step in steps if step is not None]
    if column.target == terms.TIME and len(scales) == len(set(scales)) == len(same):
        return same[scales.index(min(scales))], "unit"
    return -1, ""


def _second_time(
    column: ColumnRule,
    chosen: int,
    hits: Sequence[int],
    names: Sequence[str],
    split: Sequence[Heading],
) -> Matched | None:
    """Return a second column of the time in another unit, which must say the same."""
    others = [i for i in hits if i != chosen and split[i].base == split[chosen].base]
    if column.target != terms.TIME or len(others) != 1:
        return None
    return Matched(
        index=others[0],
        name=names[others[0]],
        target=SECOND_TIME,
        kind=Kind.NUMBER,
        unit=split[others[0]].unit,
    )


def _is_usable(column: ColumnRule, unit: str | None) -> bool:
    """Leave an optional column out, rather than guess, where its scale is unknown."""
    if column.target in REQUIRED and unit is not None:
        # ``T/K`` is no time beside ``t/s``; an unknown unit is refused where it is read.
        return conversion(column.target, unit) is not None or not is_unit(unit)
    if column.target in REQUIRED or column.kind is not Kind.NUMBER or column.ignores_unit:
        return True
    if unit is None:
        return not column.needs_unit
    return column.target not in UNITS or conversion(column.target, unit) is not None


def _numbered(
    names: Sequence[str], split: Sequence[Heading], dialect: Dialect, taken: AbstractSet[int]
) -> Iterable[Matched]:
    for index, (name, heading) in enumerate(zip(names, split, strict=True)):
        for series in () if index in taken else dialect.series:
            if hit := series.pattern.fullmatch(heading.base):
                yield Matched(
                    index=index,
                    name=name,
                    target=series.target.format(int(hit.group(1))),
                    kind=Kind.NUMBER,
                    unit=series.unit,
                    whole=series.whole,
                )
