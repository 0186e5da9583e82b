"""What a rollback deletes, what it leaves and why, on the Studio in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bulkload.client.studio import AsyncStudio
from bulkload.core.lifecycle import (
    Confirmed,
    Initiated,
    ParentsKnown,
    ProcessingReady,
    SourcePrepared,
    Stored,
)
from bulkload.core.plan_items import UploadJob
from bulkload.core.snapshot import StageName
from bulkload.core.terms import JobKey
from bulkload.engine.progress import Progress
from bulkload.engine.rollback import (
    Left,
    Leftover,
    Rollback,
    RollbackReport,
    all_visible_at,
    candidates,
)
from bulkload.journal import FILE_NAME, Parent, Store, events
from bulkload.journal.codec import job_to_text
from tests.simulation.engine import InLine, WorldDelivery, threads_in_line
from tests.simulation.faulty_wire import Fault
from tests.simulation.memory_studio import MemoryRecord, StudioRules
from tests.simulation.virtual_clock import VirtualTimeLoop
from tests.simulation.world import EPOCH, World, WorldClock

#: Seconds for which a record may be invisible to reads, as the manual says it.
VISIBLE_S = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A journal in which two runs made two measurements, a cell, a batch and a specification."""
    with Store(path) as store:
        for run in (1, 2):
            assert store.begin_run("bulkload upload", {}, 100.0) == run
            with store.transaction():
                job = UploadJob(key=JobKey("s", "c", f"m{run}"), path="run.csv")
                store.add_job(run, job, job_to_text(job), "options")
                for event in (
                    SourcePrepared(
                        rows=1, size_bytes=1, sha256="", content_digest="d", source_bytes=1,
                        source_mtime_ns=1, source_sha256="",
                    ),
                    ParentsKnown(instance_id="i"),
                    Initiated(measurement_id=f"id{run}"),
                    Stored(),
                    Confirmed(measurement_id=f"id{run}"),
                    ProcessingReady(ready_updated_at=f"{run}.000"),
                ):  # fmt: skip
                    events.append(store, run, run, 100.0, event)
        with store.transaction():
            store.put_parent(1, Parent("cell_specification", "s1", "s", None, "0.100"))
            store.put_parent(2, Parent("cell_batch", "b1", "lot", "s1", "0.200"))
            store.put_parent(2, Parent("cell_instance", "i1", "c", "s1", None))
        yield store


MEASUREMENTS = [
    Leftover(
        kind="cell_measurement",
        id=f"id{run}",
        name=f"s / c / m{run}",
        updated_at=f"{run}.000",
        run=run,
        job=run,
    )
    for run in (1, 2)
]
CELL = Leftover(kind="cell_instance", id="i1", name="c", updated_at=None, run=2)
BATCH = Leftover(kind="cell_batch", id="b1", name="lot", updated_at="0.200", run=2)
SPECIFICATION = Leftover(kind="cell_specification", id="s1", name="s", updated_at="0.100", run=1)


def test_what_a_job_made_goes_from_below_upwards(store: Store) -> None:
    assert candidates(store) == [*MEASUREMENTS, CELL, BATCH, SPECIFICATION]
    assert candidates(store, 1) == [MEASUREMENTS[0], SPECIFICATION]
    assert candidates(store, 2) == [MEASUREMENTS[1], CELL, BATCH]


def test_all_is_visible_a_minute_after_the_last_upload_ended(store: Store, tmp_path: Path) -> None:
    # An upload that was killed ended at any moment until now.
    assert all_visible_at(store, 500.0) == 500.0 + VISIBLE_S
    store.end_run(2, 300.0, {})
    assert all_visible_at(store, 500.0) == 300.0 + VISIBLE_S
    (tmp_path / "new").mkdir()
    with Store(tmp_path / "new" / FILE_NAME) as empty:
        assert all_visible_at(empty, 500.0) == 500.0 + VISIBLE_S


@dataclass
class Ended:
    """A rollback that has ended, and what was seen on its way."""

    report: RollbackReport
    progress: Progress
    ended_s: float
    requests: int
    #: What was shown as under way at each request.
    in_hand: list[tuple[str, str]] = field(default_factory=list)


def roll_back(
    path: Path, world: World, *wanted: Leftover, visible_s: float = 0.0, fault: Fault | None = None
) -> Ended:
    """Roll these back; at ``visible_s`` everything that was made is visible."""
    in_hand: list[tuple[str, str]] = []

    async def main() -> Ended:
        me = asyncio.current_task()
        assert me is not None
        world.begin_run(me.cancel, None)
        clock = WorldClock(world)
        progress = Progress(clock, [StageName.DELETE])

        def inject(_: World, __: str) -> Fault | None:
            in_hand.extend((one.path, one.stage) for one in progress.stages.oldest(9, 0.0))
            return fault

        delivery = WorldDelivery(world=world, inject=inject, connections=2, outage_limit_s=60.0)
        studio = AsyncStudio(
            api_key="key", base_url="http://studio.invalid", project_id="p", delivery=delivery
        )
        async with InLine(world, {}).open_journal(path, 2, lambda: 0.0) as journal, studio:
            visible_at = EPOCH.timestamp() + visible_s
            rollback = Rollback(studio, journal, progress, clock, all_visible_at=visible_at)
            report = await rollback.run(list(wanted))
        return Ended(report, progress, world.now(), len(world.sent), in_hand)

    with (
        threads_in_line(),
        asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(socket_grace_s=0.0)) as runner,
    ):
        return runner.run(main())


def world_with(*records: tuple[Leftover, str], gap_s: float = 0.0) -> World:
    """Return a world whose Studio holds these, each under its parent, as it was when made."""
    world = World(seed=1, latency_s=1e-4, rules=StudioRules(gap_s=gap_s))
    for one, parent in records:
        world.studio.records[one.id] = MemoryRecord(
            id=one.id,
            kind=one.kind,
            parent=parent,
            name=one.name,
            body={"name": one.name, "cell_specification_id": parent},
            created_at=0.0,
            updated_at=float(one.updated_at or "0"),
        )
    return world


UNDER_SPECIFICATION = (BATCH, "s1")
CELL_AS_MADE = replace(CELL, updated_at="0.300")


@pytest.mark.usefixtures("store")
def test_what_is_unchanged_goes_and_the_journal_forgets_it(path: Path) -> None:
    world = world_with(
        (MEASUREMENTS[0], "i1"), (CELL_AS_MADE, "s1"), UNDER_SPECIFICATION, (SPECIFICATION, "")
    )
    wanted = (MEASUREMENTS[0], CELL_AS_MADE, BATCH, SPECIFICATION)
    ended = roll_back(path, world, *wanted)
    assert ended.report == RollbackReport(deleted=wanted, left=())
    assert world.studio.records == {}
    assert ended.progress.counts == {"deleted": 4}
    assert ended.progress.stages.done == {StageName.DELETE: 4}
    assert ended.progress.stages.in_hand == 0
    assert list(dict.fromkeys(ended.in_hand)) == [(one.name, StageName.DELETE) for one in wanted]
    with Store(path, is_read_only=True) as store:
        assert store.parents() == []
        assert [name for _, name in store.history(1)][-1] == "RolledBack"
        assert [name for _, name in store.history(2)][-1] == "ProcessingReady"


@pytest.mark.usefixtures("store")
def test_what_is_gone_already_is_forgotten(path: Path) -> None:
    ended = roll_back(path, world_with(), MEASUREMENTS[0], SPECIFICATION)
    assert ended.report == RollbackReport(deleted=(MEASUREMENTS[0], SPECIFICATION), left=())
    with Store(path, is_read_only=True) as store:
        assert [one.id for one in store.parents()] == ["b1", "i1"]
        assert [name for _, name in store.history(1)][-1] == "RolledBack"


OTHERS = Leftover(kind="cell_measurement", id="x", name="theirs", updated_at="9.000", run=0)
OTHER_CELL = Leftover(kind="cell_instance", id="y", name="their cell", updated_at="9.000", run=0)


@pytest.mark.parametrize(
    ("wanted", "records", "reason"),
    [
        (
            replace(MEASUREMENTS[0], updated_at="0.500"),
            [(MEASUREMENTS[0], "i1")],
            "changed since, at 1.000",
        ),
        (
            replace(MEASUREMENTS[0], updated_at=None),
            [(MEASUREMENTS[0], "i1")],
            "Studio does not say when it was last changed",
        ),
        (
            CELL_AS_MADE,
            [(CELL_AS_MADE, "s1"), (OTHERS, "i1")],
            "a measurement in it is not this job's: theirs",
        ),
        (
            SPECIFICATION,
            [(SPECIFICATION, ""), (OTHER_CELL, "s1")],
            "a cell in it is left: their cell",
        ),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_is_left_says_why(
    wanted: Leftover, records: list[tuple[Leftover, str]], reason: str, path: Path
) -> None:
    world = world_with(*records)
    ended = roll_back(path, world, wanted)
    assert ended.report == RollbackReport(deleted=(), left=(Left(candidate=wanted, reason=reason),))
    assert set(world.studio.records) == {one.id for one, _ in records}
    assert ended.progress.counts == {"left": 1}
    with Store(path, is_read_only=True) as store:
        assert len(store.parents()) == 3
        assert [name for _, name in store.history(1)][-1] == "ProcessingReady"


@pytest.mark.usefixtures("store")
def test_a_batch_with_cells_is_left(path: Path) -> None:
    world = world_with(UNDER_SPECIFICATION)
    world.studio.records["b1"].body["instance_count"] = 2
    ended = roll_back(path, world, BATCH)
    assert ended.report.left == (Left(candidate=BATCH, reason="2 cells belong to it"),)


@pytest.mark.usefixtures("store")
def test_a_record_that_may_not_be_looked_at_is_left_and_the_next_one_is_not(path: Path) -> None:
    world = world_with((MEASUREMENTS[0], "i1"))
    ended = roll_back(path, world, *MEASUREMENTS, fault=Fault.QUOTA)
    reason = "HTTP 403: quota exceeded"
    assert ended.report.left == tuple(Left(candidate=one, reason=reason) for one in MEASUREMENTS)
    assert ended.progress.counts == {"left": 2}
    assert "id1" in world.studio.records


@pytest.mark.usefixtures("store")
def test_a_record_that_does_not_show_yet_is_waited_for(path: Path) -> None:
    world = world_with((MEASUREMENTS[0], "i1"), gap_s=3.5)
    ended = roll_back(path, world, MEASUREMENTS[0], visible_s=VISIBLE_S)
    assert ended.report.deleted == (MEASUREMENTS[0],)
    assert world.studio.records == {}
    # A look each second, the fifth of which sees it.
    assert 4.0 <= ended.ended_s < 4.1
    assert ended.requests == 6


@pytest.mark.usefixtures("store")
def test_a_record_is_gone_once_all_would_show(path: Path) -> None:
    ended = roll_back(path, world_with(), MEASUREMENTS[0], visible_s=10.5)
    assert ended.report.deleted == (MEASUREMENTS[0],)
    # At 0 s, 1 s and so on until 10 s, and at 10.5 s for the last time.
    assert 10.5 <= ended.ended_s < 10.6
    assert ended.requests == 12
