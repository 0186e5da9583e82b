"""One seed, one story: an archive, a Studio, trouble, crashes; and what must hold at its end.

A story is lived in virtual time on one thread. The engine is started again after each crash,
as often as the story says; at last trouble ends, and then everything must be accounted for:
each measurement in the Studio exactly once with the bytes that were meant, or refused for the
reason that the story gave.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from bulkload.client.http.events import Exchanged, WireEvent
from bulkload.client.studio import AsyncStudio
from bulkload.core.flow.retry_budget import CAPACITY, EARNED_PER_REQUEST, TRICKLE_PER_S
from bulkload.core.plan_items import PlanItem, Specification, UploadJob
from bulkload.core.tally import ExitCode
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.run import SPOOL_NAME, RunRequest, RunResult, Target, run_job
from bulkload.engine.shutdown import Stop
from bulkload.engine.single_flight import one_error
from bulkload.engine.verify import verify
from bulkload.journal import FILE_NAME, store
from bulkload.settings import RunLimits, RunSettings
from tests.simulation.engine import InLine, Meant, WorldDelivery, threads_in_line
from tests.simulation.memory_studio import MemoryRecord
from tests.simulation.story import CONTENTS, Story, content, story_of
from tests.simulation.verdict import ScenarioJudge, Telling
from tests.simulation.virtual_clock import VirtualTimeLoop
from tests.simulation.world import World, WorldClock

#: Lives in trouble at most, and then in peace: more than that is no progress.
MAX_TROUBLED_LIVES: Final = 8
MAX_PEACEFUL_LIVES: Final = 3
#: Virtual seconds after which a life that does not end has hung.
LONGEST_LIFE_S: Final = 48 * 3600.0


def simulate(seed: int, folder: Path | None = None) -> Telling:
    """Live the story of a seed and judge it; ``complaints`` is empty where all held."""
    return tell(story_of(seed), folder)


def tell(story: Story, folder: Path | None = None) -> Telling:
    """Live a story and judge it."""
    if folder is None:
        with TemporaryDirectory(prefix="bulkload-simulation-") as scratch:
            return tell(story, Path(scratch))
    with threads_in_line():
        return _Life(story, folder).tell()


class _Life:
    """A story being lived."""

    def __init__(self, story: Story, folder: Path) -> None:
        self._story = story
        self._telling = Telling(story=story)
        self._job_dir = folder / "job"
        self._source = folder / "source.csv"
        self._source.write_text("the same for all: what it holds is in memory\n", "utf-8")
        self._meant = {key: content(number % CONTENTS) for number, key in enumerate(story.jobs)} | {
            key: Meant(data=b"", rows=0, columns=(), content_digest="", is_bad=True)
            for key in story.bad
        }
        self._world = World(
            seed=story.seed,
            rules=story.rules,
            outages=story.outages,
            fault_rate=story.fault_rate,
            latency_s=story.latency_s,
            requests_per_s=story.requests_per_s,
            clock_ahead_s=story.clock_ahead_s,
        )
        self._put_there_before()

    def _put_there_before(self) -> None:
        studio = self._world.studio
        for key in self._story.jobs:
            if key not in self._story.there_before:
                continue
            spec = self._record("cell_specification", "", key.spec)
            cell = self._record("cell_instance", spec.id, key.cell)
            record = self._record("cell_measurement", cell.id, key.measurement)
            studio.objects[f"{record.id}/time_series.parquet"] = b"somebody else's"

    def _record(self, kind: str, parent: str, name: str) -> MemoryRecord:
        records = self._world.studio.records
        known = f"old-{kind}-{parent}-{name}"
        body = {"name": name, "ratings": {}}
        return records.setdefault(
            known,
            MemoryRecord(
                id=known,
                kind=kind,
                parent=parent,
                name=name,
                body=body,
                created_at=-3600.0,
                updated_at=-3600.0,
            ),
        )

    def tell(self) -> Telling:
        """Live until everything is done, then judge."""
        story, world, telling = self._story, self._world, self._telling
        result: RunResult | None = None
        for life in range(MAX_TROUBLED_LIVES + MAX_PEACEFUL_LIVES):
            world.is_at_peace = life >= MAX_TROUBLED_LIVES
            dies_at = story.crashes[life] if life < len(story.crashes) else None
            stops_at = story.stops[life] if life < len(story.stops) else None
            result = self._live(dies_at, stops_at)
            telling.lives += 1
            telling.steps += world.steps
            telling.exit_codes.append(None if result is None else int(result.report.exit_code))
            if result is not None and self._is_over(result):
                break
        telling.virtual_s = world.base_s
        telling.sent = world.sent
        self._judge(result)
        telling.complaints += world.faults_found
        return telling

    def _is_over(self, result: RunResult) -> bool:
        if result.report.exit_code not in (ExitCode.ARRIVED, ExitCode.PARTIAL):
            return False
        with closing(store.connect(self._job_dir / FILE_NAME, is_read_only=True)) as reader:
            gave_up = reader.execute(
                "SELECT COUNT(*) FROM job WHERE has_given_up AND cause<>'processing_unfinished'"
            ).fetchone()[0]
        return not gave_up

    def _live(self, dies_at: int | None, stops_at: float | None) -> RunResult | None:
        def make_loop() -> VirtualTimeLoop:
            return VirtualTimeLoop(socket_grace_s=0.0)

        with asyncio.Runner(loop_factory=make_loop) as runner:
            try:
                return runner.run(self._run(dies_at, stops_at))
            except asyncio.CancelledError:
                self._leave_behind()
                return None

    def _leave_behind(self) -> None:
        """Let the spool be as a kill leaves it: ending a task has cleaned up, a kill does not."""
        spool = self._job_dir / SPOOL_NAME
        spool.mkdir(parents=True, exist_ok=True)
        (spool / "1.parquet").write_bytes(b"torn")

    async def _run(self, dies_at: int | None, stops_at: float | None) -> RunResult:
        world, clock = self._world, WorldClock(self._world)
        me = asyncio.current_task()
        assert me is not None
        world.begin_life(me.cancel, dies_at)
        stop = Stop(grace_s=30.0)
        progress = Progress(clock)
        loop = asyncio.get_running_loop()
        loop.call_later(LONGEST_LIFE_S, self._hangs, me)
        if stops_at is not None:
            loop.call_later(stops_at, stop.request, ExitCode.TERMINATED, "by SIGTERM")
        try:
            with one_error():
                result = await run_job(self._request(clock), progress, stop)
        finally:
            self._telling.ended_s = world.now()
            world.end_life()
        self._telling.requests += progress.requests
        self._telling.retries += progress.retries
        self._judge_retries(progress)
        return result

    def _request(self, clock: WorldClock) -> RunRequest:
        story, in_line = self._story, InLine(self._world, self._meant)
        settings = RunSettings(
            limits=RunLimits(
                workers=story.workers,
                connections=story.connections,
                memory_bytes=2**30,
                outage_limit_s=story.outage_limit_s,
            )
        )
        return RunRequest(
            job_dir=self._job_dir,
            make_plan=lambda connection, run: plan_into(
                connection,
                run,
                self._plan(),
                checks=settings.checks,
                prepare_options=settings.prepare_options,
                at=clock.now().timestamp(),
            ),
            target=Target(url="http://studio.invalid", project_id="project"),
            settings=settings,
            command="bulkload upload archive",
            open_studio=self._open_studio,
            clock=clock,
            open_journal=in_line.open_journal,
            open_pool=in_line.open_pool,
        )

    def _plan(self) -> list[PlanItem]:
        specs = sorted({key.spec for key in self._story.jobs})
        items: list[PlanItem] = [
            Specification(name=name, payload={"name": name, "ratings": {}}, origin="spec.json")
            for name in specs
        ]
        return items + [UploadJob(key=key, path=str(self._source)) for key in self._story.jobs]

    def _open_studio(self, observer: object, settings: RunSettings) -> AsyncStudio:
        def heard(event: WireEvent) -> None:
            if isinstance(event, Exchanged):
                at = self._world.now()
                self._telling.exchanged.append((at, event.service, event.status))
            assert callable(observer)
            observer(event)

        delivery = WorldDelivery(
            world=self._world,
            deal=self._story.deal,
            observer=heard,
            connections=settings.limits.connections,
            outage_limit_s=settings.limits.outage_limit_s,
        )
        return AsyncStudio(
            api_key="key",
            base_url="http://studio.invalid",
            project_id="project",
            dataframe_backend="pyarrow",
            delivery=delivery,
        )

    def _hangs(self, life: asyncio.Task[object]) -> None:
        self._telling.complaints.append(
            f"a life that does not end: {LONGEST_LIFE_S:.0f} virtual seconds"
        )
        life.cancel()

    def _judge_retries(self, progress: Progress) -> None:
        bound = CAPACITY + EARNED_PER_REQUEST * progress.requests
        bound += TRICKLE_PER_S * progress.elapsed_s + 1
        if progress.retries > bound:
            self._telling.complaints.append(
                f"{progress.retries} retries for {progress.requests} requests"
            )

    def _judge(self, result: RunResult | None) -> None:
        if result is None or not self._is_over(result):
            self._telling.complaints.append(f"no end in {self._telling.lives} lives")
            return
        verdict = ScenarioJudge(self._telling, self._world, self._meant, self._job_dir)
        verdict.judge(result.report)
        self._verify_all()

    def _verify_all(self) -> None:
        """Read everything back, as ``bulkload verify --all`` does."""

        async def read_back() -> list[str]:
            me = asyncio.current_task()
            assert me is not None
            self._world.begin_life(me.cancel, None)
            studio = self._open_studio(lambda _: None, RunSettings())
            with closing(store.connect(self._job_dir / FILE_NAME, is_read_only=True)) as reader:
                async with studio:
                    report = await verify(reader, studio, sample=None, chance=Random(0))
            return [f"verify: {one.key}: {one.message}" for one in report.differences]

        self._world.is_at_peace = True
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(socket_grace_s=0.0)) as runner:
            for words in runner.run(read_back()):
                self._telling.complaints.append(words)
