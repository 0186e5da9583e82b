"""Delete what a job created in Studio: only its own records, and only unchanged ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bulkload.client.api.records import Record
from bulkload.client.api.resource import is_not_found
from bulkload.client.studio import AsyncStudio
from bulkload.clock import Clock
from bulkload.core.lifecycle import RolledBack
from bulkload.core.snapshot import StageName
from bulkload.engine.limits import LOOK_AGAIN_S, VISIBLE_AFTER_S
from bulkload.engine.progress import Progress
from bulkload.errors import BulkloadError, ClientError
from bulkload.journal import Store
from bulkload.journal.journal import Journal

#: The order in which parents go: a parent only when nothing is left under it.
PARENT_ORDER: Final = ("cell_instance", "cell_batch", "cell_specification")
#: Parents that the cells of several parts may have in common.
SHARED: Final = frozenset({"cell_batch", "cell_specification"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A record that the job made."""

    kind: str
    id: str
    name: str
    #: What Studio said of its last change when the job had made it.
    updated_at: str | None
    #: The run that made it.
    run: int
    #: The job of a measurement, None for a parent.
    job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A record that is not deleted, with the reason."""

    candidate: Leftover
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """What was deleted and what was left."""

    deleted: tuple[Leftover, ...]
    left: tuple[Left, ...]


def candidates(store: Store, run: int | None = None) -> list[Leftover]:
    """Return what the job made, measurements first, parents before their own parents.

    ``run`` limits that to what one run made.
    """
    of_jobs, of_parents = store.runs_of_jobs(), store.runs_of_parents()
    measurements = [
        Leftover(
            kind="cell_measurement",
            id=row.measurement_id,
            name=str(row.key),
            updated_at=row.ready_updated_at,
            run=of_jobs[row.id],
            job=row.id,
        )
        for row in store.created()
        if row.measurement_id is not None
    ]
    parents = store.parents()
    made = measurements + [
        Leftover(
            kind=one.kind,
            id=one.id,
            name=one.name,
            updated_at=one.updated_at,
            run=of_parents[one.kind, one.id],
        )
        for kind in PARENT_ORDER
        for one in parents
        if one.kind == kind
    ]
    return [one for one in made if run in (None, one.run)]


def all_visible_at(store: Store, now: float) -> float:
    """Return when everything that was created is visible to reads, in seconds since 1970.

    An upload that was killed may have created a record just now.
    """
    last = store.last_upload()
    ended_at = None if last is None else last.ended_at
    return (now if ended_at is None else ended_at) + VISIBLE_AFTER_S


class Rollback:
    """Deletes records one by one, each checked just before."""

    def __init__(
        self,
        studio: AsyncStudio,
        journal: Journal,
        progress: Progress,
        clock: Clock,
        *,
        all_visible_at: float,
    ) -> None:
        """Take ``all_visible_at`` (seconds since 1970) as the end of the time in which it waits.

        Until then a record that Studio does not show may only be invisible as yet.
        """
        self._clock = clock
        self._all_visible_at = all_visible_at
        self._journal = journal
        self._progress = progress
        self._studio = studio
        self._get: dict[str, Callable[[str], Awaitable[Record]]] = {
            "cell_measurement": studio.cell_measurement.get,
            "cell_instance": studio.cell_instance.get,
            "cell_batch": studio.cell_batch.get,
            "cell_specification": studio.cell_spec.get,
        }
        self._delete: dict[str, Callable[[str], Awaitable[None]]] = {
            "cell_measurement": studio.cell_measurement.delete,
            "cell_instance": studio.cell_instance.delete,
            "cell_batch": studio.cell_batch.delete,
            "cell_specification": studio.cell_spec.delete,
        }

    async def run(self, wanted: list[Leftover]) -> RollbackReport:
        """Delete what may be deleted; a record that cannot be checked is left."""
        deleted: list[Leftover] = []
        left: list[Left] = []
        for candidate in wanted:
            self._progress.entered(candidate.id, StageName.DELETE, candidate.name)
            try:
                reason = await self._undo(candidate)
            except BulkloadError as error:
                reason = str(error)
            if reason is None:
                deleted.append(candidate)
            else:
                left.append(Left(candidate=candidate, reason=reason))
            word = "deleted" if reason is None else "left"
            self._progress.came_out(candidate.id, StageName.DELETE, word)
        return RollbackReport(deleted=tuple(deleted), left=tuple(left))

    async def _undo(self, candidate: Leftover) -> str | None:
        """Delete a record; return why it is left instead, None where it was deleted."""
        record = await self._look(candidate)
        if record is None:
            await self._forget(candidate)
            return None
        if (reason := await self._reason_to_leave(candidate, record)) is not None:
            return reason
        await self._delete[candidate.kind](candidate.id)
        await self._forget(candidate)
        return None

    async def _look(self, candidate: Leftover) -> Record | None:
        """Return a record, None where it is gone: not only invisible to reads as yet."""
        while True:
            try:
                return await self._get[candidate.kind](candidate.id)
            except ClientError as error:
                if not is_not_found(error):
                    raise
                left_s = self._all_visible_at - self._clock.now().timestamp()
                if left_s <= 0.0:
                    return None
                await self._clock.sleep(min(left_s, LOOK_AGAIN_S))

    async def _reason_to_leave(self, candidate: Leftover, record: Record) -> str | None:
        if record.updated_at is None or candidate.updated_at is None:
            return "Studio does not say when it was last changed"
        if record.updated_at != candidate.updated_at:
            return f"changed since, at {record.updated_at}"
        if candidate.kind == "cell_instance":
            async for found in self._studio.cell_measurement.list(candidate.id):
                return f"a measurement in it is not this job's: {found.name}"
        elif candidate.kind == "cell_specification":
            async for cell in self._studio.cell_instance.list(candidate.id):
                return f"a cell in it is left: {cell.name}"
        elif candidate.kind == "cell_batch":
            batch = await self._studio.cell_batch.get(candidate.id)
            if batch.instance_count:
                return f"{batch.instance_count} cells belong to it"
        return None

    async def _forget(self, candidate: Leftover) -> None:
        """Record that a record was deleted, so that the next upload creates it again."""
        if candidate.job is not None:
            await self._journal.append(candidate.job, RolledBack())
        else:
            await self._journal.drop_parent(candidate.kind, candidate.id)
