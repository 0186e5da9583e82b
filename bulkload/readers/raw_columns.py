"""A dialect's columns as the file has them, and what became of each column of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.readers.channels import AS_IT_IS, Reason
from bulkload.readers.dialect import DIFFERENCE, DIFFERENCE_COLUMN, Z_IM_NEGATED, Dialect, Kind
from bulkload.readers.header_match import Match
from bulkload.readers.table_source import Grid
from bulkload.readers.units import Conversion

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]


#: Under what other name a column of the file may come into the result.
ALIASES: Final = {
    DIFFERENCE: DIFFERENCE_COLUMN,
    DIFFERENCE_COLUMN: terms.VOLTAGE,
    terms.WORKING_POTENTIAL: terms.VOLTAGE,
    Z_IM_NEGATED: terms.Z_IM,
}


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What became of one column of the file."""

    name: str
    #: Column of the result, or the role that it has.
    target: str
    change: Conversion = AS_IT_IS
    #: Why it is no column of the result; None: it is one, or it has a role.
    reason: Reason | None = None


@dataclass
class Raw:
    """What a dialect's columns hold, before anything is derived from them."""

    name: str
    dialect: Dialect
    match: Match
    columns: dict[str, Values]
    texts: dict[str, pa.ChunkedArray]
    #: As what each target was read.
    kinds: Mapping[str, Kind]
    decisions: list[Decision] = field(default_factory=list)
    #: Targets whose unit the header does not state and the data have proved.
    proved: set[str] = field(default_factory=set)
    #: The day comes first in dates such as 05/06/2024; and whether nothing settled that.
    day_first: bool = False
    has_open_dates: bool = False
    #: Rows of this test that are no samples of it.
    left_out: int = 0
    #: Every column of the file, in its order, with what became of it.
    uses: list[ColumnUse] = field(default_factory=list)
    #: Columns that are only read where something else leaves a question open.
    postponed: dict[str, int] = field(default_factory=dict)
    read_later: set[str] = field(default_factory=set)
    grid: Grid | None = None
    #: The rows of the file that are here, in their order; None: all.
    taken: npt.NDArray[np.intp] | None = None

    @property
    def rows(self) -> int:
        """How many rows there are: none where no column is known."""
        return len(next(iter((self.columns or self.texts).values()), ()))

    def decide(
        self,
        code: DecisionCode,
        detail: str,
        *,
        evidence: str = "",
        rows: int = 0,
        columns: Sequence[str] = (),
    ) -> None:
        """Record a decision about this table."""
        self.decisions.append(
            Decision(code=code, detail=detail, evidence=evidence, rows=rows, columns=tuple(columns))
        )

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep these rows only."""
        self.reorder(np.flatnonzero(mask))

    def leave_out(self, mask: npt.NDArray[np.bool_], why: str, *, evidence: str) -> None:
        """Leave these rows out, count them and say why: no row goes unaccounted."""
        rows = int(mask.sum())
        self.left_out += rows
        self.decide(
            DecisionCode.ROWS_LEFT_OUT,
            f"left out {rows} {why}",
            evidence=evidence,
            rows=rows,
        )
        self.keep(~mask)

    def reorder(self, index: npt.NDArray[np.intp]) -> None:
        """Take these rows in this order."""
        self.taken = index if self.taken is None else self.taken[index]
        self.columns = {name: values[index] for name, values in self.columns.items()}
        self.texts = {name: values.take(pa.array(index)) for name, values in self.texts.items()}

    def postponed_text(self, target: str) -> pa.ChunkedArray | None:
        """Read a postponed column now, as text; None where the file has none."""
        index = self.postponed.get(target)
        if index is None or self.grid is None:
            return None
        self.read_later.add(target)
        values = self.grid.fetch({index: Kind.TEXT})[index]
        return values if self.taken is None else values.take(pa.array(self.taken))

    def account(self, result: AbstractSet[str]) -> list[dict[str, Any]]:
        """Return what became of every column of the file, given those of the result.

        Columns that were not kept are recorded as decisions too, by their reason.
        """
        left_out: dict[Reason, list[str]] = {}
        kept = []
        for use in self.uses:
            target = use.target
            while target in ALIASES and target not in result:
                target = ALIASES[target]
            reason = use.reason or (None if target in result else Reason.USED)
            if use.target in self.postponed.keys() - self.read_later:
                reason = Reason.DERIVED
            if reason is not None:
                left_out.setdefault(reason, []).append(use.name)
                continue
            entry: dict[str, Any] = {"name": use.name, "to": target}
            if use.change.scale != 1.0:
                entry["factor"] = use.change.scale
            if use.change.shift != 0.0:
                entry["offset"] = use.change.shift
            kept.append(entry)
        for reason, names in left_out.items():
            self.decide(
                DecisionCode.COLUMNS_LEFT_OUT,
                f"{len(names)} columns left out ({reason})",
                evidence=reason.value,
                columns=names,
            )
        return kept
