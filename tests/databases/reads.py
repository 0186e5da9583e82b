"""Plans and reads of a database in this process, without a Studio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bulkload.databases.configuration import load_configuration
from bulkload.databases.planned import Facts, Fault, LeftOut, PlannedMeasurement
from bulkload.databases.planning import Planner
from bulkload.databases.reading import read_measurement
from bulkload.databases.run_databases import Databases
from bulkload.errors import UnreadableError
from bulkload.readers.reading import TimeSeries


@dataclass(kw_only=True)
class Migration:
    """What came of a plan, and of reading it."""

    measurements: list[PlannedMeasurement] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    facts: Facts | None = None
    series: dict[str, TimeSeries] = field(default_factory=dict)
    rejected: dict[str, UnreadableError] = field(default_factory=dict)

    @property
    def errors(self) -> list[Fault]:
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
                case Fault():
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
    return found


def causes(migration: Migration) -> Mapping[str, str]:
    """Return why measurements were rejected, by name."""
    return {name: error.cause for name, error in migration.rejected.items()}
