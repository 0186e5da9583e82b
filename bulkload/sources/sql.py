"""A database as a source: the planned measurements of ``[source.sql]`` as entries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bulkload.core.issues import Severity
from bulkload.core.plan_items import Problem, Scope, Skip, Specification, UploadJob
from bulkload.core.terms import JobKey
from bulkload.databases.configuration import load_configuration
from bulkload.databases.measurement import READER
from bulkload.databases.planned import LeftOut, PlanFault, Planned, PlannedMeasurement
from bulkload.databases.planning import Planner
from bulkload.databases.run_databases import Databases
from bulkload.sources.entry import Entry


def read_database(
    path: Path, databases: Databases, stated: dict[str, Specification]
) -> Iterator[Entry | Problem | Skip]:
    """Yield the measurements of the database that a TOML file describes.

    Side effects: ``stated`` gets the specifications that the database's cells are of, where the
    user states none of that name.
    """
    session = databases.open(load_configuration(path), path.stem)
    for item in Planner(session, path).plan():
        yield _entry(item, path, stated)


def _entry(item: Planned, path: Path, stated: dict[str, Specification]) -> Entry | Problem | Skip:
    match item:
        case PlanFault():
            severity = Severity.WARNING if item.is_warning else Severity.ERROR
            return Problem(
                where=item.where,
                rule=item.rule,
                message=item.message,
                severity=severity,
                # A migration is proved as a whole: a row that cannot be planned would be lost.
                scope=Scope.PLAN,
            )
        case LeftOut():
            return Skip(where=item.where, rule=item.rule)
        case PlannedMeasurement():
            cell = item.cell
            stated.setdefault(
                cell.specification,
                Specification(name=cell.specification, payload=cell.payload, origin=str(path)),
            )
            metadata = {} if item.start_time is None else {"start_time": item.start_time}
            return Entry(
                where=item.where,
                job=UploadJob(
                    key=JobKey(cell.specification, cell.name, item.name),
                    path=str(item.path),
                    reader=None if item.is_file else READER,
                    batch=cell.batch,
                    metadata=metadata,
                ),
                folder=item.path.parent,
                root=item.path.parent,
            )
