"""Plans and reads of a database in this process, without a Studio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

from bulkload.databases import samples
from bulkload.databases.configuration import load_configuration
from bulkload.databases.planned import LeftOut, PlanFault, PlannedMeasurement, SourceFacts
from bulkload.databases.planning import Planner
from bulkload.databases.reading import Measurement, open_measurement, read_measurement
from bulkload.databases.run_databases import Databases
from bulkload.errors import UnreadableError
from bulkload.readers.reading import ReadAgainError, TimeSeries

#: Rows of a chunk: few enough that the small tables of the tests are several.
CHUNK_ROWS = 3


@dataclass(kw_only=True)
class Migration:
    """What came of a plan, and of reading it."""

    measurements: list[PlannedMeasurement] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[PlanFault] = field(default_factory=list)
    facts: SourceFacts | None = None
    series: dict[str, TimeSeries] = field(default_factory=dict)
    rejected: dict[str, UnreadableError] = field(default_factory=dict)

    @property
    def errors(self) -> list[PlanFault]:
        """The faults that stop the plan."""
        return [fault for fault in self.faults if not fault.is_warning]

    def column(self, measurement: str, name: str) -> list[float]:
        """Return a column of what was read."""
        found: list[float] = self.series[measurement].table.column(name).to_pylist()
        return found


def migrate(toml: Path, job: Path, *, is_strict: bool = True) -> Migration:
    """Plan a database, and read every measurement of the plan in its snapshot."""
    found = Migration()
    with Databases(job) as databases:
        planner = Planner(databases.open(load_configuration(toml), toml.stem), toml)
        for item in planner.plan():
            match item:
                case PlannedMeasurement():
                    found.measurements.append(item)
                case LeftOut():
                    found.left_out.append(item)
                case PlanFault():
                    found.faults.append(item)
        found.facts = planner.facts
        for one in found.measurements:
            if one.is_file:
                continue
            # By the measurement's name alone where there is one cell.
            is_one = len({each.cell.name for each in found.measurements}) == 1
            name = one.name if is_one else f"{one.cell.name} / {one.name}"
            try:
                found.series[name] = read_measurement(one.path, is_strict=is_strict)
            except UnreadableError as error:
                found.rejected[name] = error
            _read_in_chunks(one.path, found, name, is_strict=is_strict)
    return found


def _read_in_chunks(path: Path, found: Migration, name: str, *, is_strict: bool) -> None:
    """Read a measurement in chunks of a few rows, and hold it against what it is in one piece."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "CHUNK_ROWS", CHUNK_ROWS)
        if name in found.rejected:
            with pytest.raises(UnreadableError) as caught:
                in_chunks(path, is_strict=is_strict)
            assert caught.value.cause == found.rejected[name].cause
            return
        series, table = in_chunks(path, is_strict=is_strict)
    whole = found.series[name]
    assert table.equals(whole.table)
    assert (series.header, series.provenance()) == (whole.header, whole.provenance)


def in_chunks(path: Path, *, is_strict: bool) -> tuple[Measurement, pa.Table]:
    """Read a measurement in chunks, anew where it asks for that; return all rows."""
    series = open_measurement(path, is_strict=is_strict)
    while True:
        try:
            return series, pa.concat_tables(series.chunks())
        except ReadAgainError:
            continue


def causes(migration: Migration) -> Mapping[str, str]:
    """Return why measurements were rejected, by name."""
    return {name: error.cause for name, error in migration.rejected.items()}
