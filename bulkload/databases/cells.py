"""The cells of a source: their keys, their specifications, and which are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkload.core.terms import CAPACITY
from bulkload.databases.configuration import SqlSource
from bulkload.databases.planned import PlanFault, PlannedCell
from bulkload.databases.rows import filled_pattern, filtered, value
from bulkload.errors import PlanError
from bulkload.readers.units import conversion


class Cells:
    """The cells that the cells query gives, by key."""

    def __init__(self, source: SqlSource, rows: list[dict[str, Any]]) -> None:
        """Sort the rows into those to migrate and those that a filter leaves out."""
        self._source = source
        self.rows = rows
        self._kept: dict[str, list[Mapping[str, Any]]] = {}
        self._left_out: dict[str, str] = {}
        self._null_keys = 0
        for row in rows:
            key = value(row, source.cells.key)
            if key is None:
                self._null_keys += 1
                continue
            reason = filtered(row, source.cells.only)
            if reason:
                self._left_out[str(key)] = f"cell: {reason}"
            else:
                self._kept.setdefault(str(key), []).append(row)
        self._specifications = self._read_specifications()

    def faults(self, where: str) -> Iterator[PlanFault]:
        """Name doubled and missing keys."""
        if self._null_keys:
            message = f"{self._null_keys:,} cells have no key ({self._source.cells.key} is NULL)"
            yield PlanFault(where=where, rule="cell_missing", message=message)
        folded: dict[str, str] = {}
        for key, rows in self._kept.items():
            if len(rows) > 1 or key in self._left_out:
                count = len(rows) + (key in self._left_out)
                message = (
                    f"the cell {key!r} is there {count} times; a join on it would double its "
                    "samples: make the cells query give it once"
                )
                yield PlanFault(where=where, rule="key_doubled", message=message)
            other = folded.setdefault(key.strip().casefold(), key)
            if other != key:
                message = (
                    f"the cells {other!r} and {key!r} differ only in trailing blanks or case; "
                    "rename one of them in the query"
                )
                yield PlanFault(where=where, rule="key_doubled", message=message)

    def _key(self, row: Mapping[str, Any]) -> str:
        return str(value(row, self._source.measurements.cell))

    def knows(self, row: Mapping[str, Any]) -> bool:
        """Return whether the cells query gave a measurement's cell."""
        return self._key(row) in self._kept or self._key(row) in self._left_out

    def why_left_out(self, row: Mapping[str, Any]) -> str:
        """Return why a measurement's cell is left out, empty where it is not."""
        key = self._key(row)
        return "" if key in self._kept else self._left_out.get(key, "")

    def of(self, row: Mapping[str, Any]) -> PlannedCell | None:
        """Return the cell of a measurement."""
        found = self._kept.get(self._key(row))
        if found is None:
            return None
        cells = self._source.cells
        name = filled_pattern(cells.specification, found[0], "cells.specification")
        return PlannedCell(
            name=self._key(row).strip(),
            specification=name,
            batch=None
            if cells.batch is None
            else filled_pattern(cells.batch, found[0], "cells.batch"),
            payload=self._specifications[name],
        )

    def _read_specifications(self) -> dict[str, dict[str, Any]]:
        """Return the payload of each specification: what its cells say of it together."""
        capacities: dict[str, set[float]] = {}
        stated = self._source.cells.rated_capacity
        for rows in self._kept.values():
            name = filled_pattern(self._source.cells.specification, rows[0], "cells.specification")
            values = capacities.setdefault(name, set())
            if stated is not None and value(rows[0], stated.column) is not None:
                values.add(float(value(rows[0], stated.column)))
        return {name: self._payload(name, values) for name, values in capacities.items()}

    def _payload(self, name: str, capacities: set[float]) -> dict[str, Any]:
        stated = self._source.cells.rated_capacity
        payload: dict[str, Any] = {"name": name}
        if stated is None or not capacities:
            return payload
        if stated.rounded:
            listed = " or ".join(f"{one:g}" for one in sorted(capacities))
            payload["notes"] = (
                f"nominal capacity {listed} {stated.unit}, rounded to a whole number in the "
                "legacy database"
            )
        elif len(capacities) > 1:
            listed = ", ".join(f"{one:g}" for one in sorted(capacities))
            raise PlanError(
                f"the cells of the specification {name!r} have different capacities ({listed} "
                f"{stated.unit}); make {stated.column} a part of cells.specification"
            )
        else:
            found = conversion(CAPACITY, stated.unit)
            assert found is not None
            inverse = 1.0 / found.scale
            only = next(iter(capacities))
            scaled = only / round(inverse) if found.scale < 1 else only * found.scale
            payload["ratings"] = {"capacity": {"value": scaled, "unit": "A.h"}}
        return payload
