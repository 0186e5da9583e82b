"""One seed, one scenario: an archive, a Studio, faults, crashes; and what must hold at its end.

A scenario runs in virtual time on one thread. The engine is started again after each crash,
as often as the scenario says; at last all faults end, and then everything must be accounted for:
each measurement in the Studio exactly once with the bytes that were intended, or rejected for the
reason that the scenario gave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing, nullcontext
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from bulkload.client.http.events import Exchanged, Observer, WireEvent
from bulkload.client.studio import AsyncStudio
from bulkload.core.flow.retry_budget import CAPACITY, EARNED_PER_REQUEST, TRICKLE_PER_S
from bulkload.core.plan_items import PlanItem, Specification, UploadJob
from bulkload.core.snapshot import StageName
from bulkload.core.tally import ExitCode
from bulkload.core.terms import JobKey
from bulkload.engine.plan_writer import plan_into
from bulkload.engine.progress import Progress
from bulkload.engine.request import RunRequest
from bulkload.engine.rollback import Rollback, RollbackReport, all_visible_at, candidates
from bulkload.engine.run import SPOOL_NAME, RunResult, run_job
from bulkload.engine.shutdown import Stop
from bulkload.engine.single_flight import one_error
from bulkload.engine.target import Target
from bulkload.engine.verify import verify
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.database import connect
from bulkload.journal.parts import part_folders
from bulkload.journal.whole import WholeJob
from bulkload.settings import RunLimits, RunSettings
from tests.simulation.contents import BAD, CONTENTS, content, grown_content
from tests.simulation.engine import InLine, WorldDelivery, threads_in_line
from tests.simulation.judge import Result, ScenarioJudge
from tests.simulation.memory_studio import ANOTHER_CLIENTS, MemoryRecord
from tests.simulation.rollback import roll_back
from tests.simulation.scenario import Scenario
from tests.simulation.virtual_clock import VirtualTimeLoop
from tests.simulation.world import World, WorldClock

T = TypeVar("T")

#: Runs with faults at most, and then without: more than that is no progress.
MAX_FAULTY_RUNS: Final = 8
MAX_CALM_RUNS: Final = 3
#: Virtual seconds after which a run that does not end has hung.
LONGEST_RUN_S: Final = 48 * 3600.0


def run(scenario: Scenario) -> Result:
    """Run a scenario and judge it; ``Result.violations`` is empty where all held."""
    return run_in_scratch(Simulation, scenario)


def run_in_scratch(kind: type[Simulation], scenario: Scenario) -> Result:
    """Run a scenario as such a simulation in a folder that goes with it."""
    with (
        TemporaryDirectory(prefix="bulkload-simulation-", dir=_memory()) as scratch,
        threads_in_line(),
    ):
        return kind(scenario, Path(scratch)).run()


def _memory() -> Path | None:
    """Return a folder in memory where there is one: simulated crashes keep what is written."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


#: Makes the client of an engine.
OpenStudio = Callable[[Observer, RunSettings], AsyncStudio]

TARGET: Final = Target(url="http://studio.invalid", project_id="project")


class Simulation:
    """A scenario while it runs."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._result = Result(scenario=scenario)
        self._job_dir = folder / "job"
        self._source = folder / "source.csv"
        self._source.write_text("the same for all: what it holds is in memory\n", "utf-8")
        self._contents = {
            key: content(number % CONTENTS) for number, key in enumerate(scenario.jobs)
        } | dict.fromkeys(scenario.bad, BAD)
        self._sources = {
            key: folder / f"grows-{number}.csv" if key in scenario.grown else self._source
            for number, key in enumerate(scenario.jobs)
        }
        for key in scenario.grown:
            self._sources[key].write_text("a source that grows\n", "utf-8")
        #: Measurements that were delivered when their sources grew.
        self._extended: frozenset[JobKey] = frozenset()
        self._world = World(
            seed=scenario.seed,
            rules=scenario.rules,
            outages=scenario.outages,
            fault_rate=scenario.fault_rate,
            latency_s=scenario.latency_s,
            requests_per_s=scenario.requests_per_s,
            clock_ahead_s=scenario.clock_ahead_s,
        )
        self._put_there_before()

    def _put_there_before(self) -> None:
        studio = self._world.studio
        for key in self._scenario.jobs:
            is_there = key in self._scenario.there_before
            if not is_there and not self._scenario.cell_is_known:
                continue
            spec = self._record("cell_specification", "", key.spec)
            cell = self._record("cell_instance", spec.id, key.cell)
            if not is_there:
                continue
            record = self._record("cell_measurement", cell.id, key.measurement)
            record.ends_at = self._scenario.there_processed_s
            is_same = key in self._scenario.there_with_same
            held = self._contents[key].data if is_same else ANOTHER_CLIENTS
            studio.objects[f"{record.id}/time_series.parquet"] = held

    def _record(self, kind: str, parent: str, name: str) -> MemoryRecord:
        records = self._world.studio.records
        known = f"old-{kind}-{parent}-{name}".replace(" ", "-")
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

    def run(self) -> Result:
        """Run until everything is done, then judge."""
        scenario, result = self._scenario, self._result
        ended = self._deliver(scenario.crashes, scenario.stops)
        if scenario.grown and ended is not None and self._is_over(ended):
            self._grow()
            ended = self._deliver(scenario.later_crashes)
        self._judge(ended)
        if scenario.is_rolled_back and not result.violations:
            roll_back(self._world, result, self._store, self._roll_back_once)
            ended = self._deliver()
            self._judge(ended)
        result.virtual_s = self._world.base_s
        result.sent = self._world.sent
        result.most_preparing = self._world.most_preparing
        result.violations += self._world.violations
        return result

    def _deliver(
        self, crashes: tuple[int, ...] = (), stops: tuple[float | None, ...] = ()
    ) -> RunResult | None:
        """Upload as often as it takes; return how the last run ended, None for a crash."""
        world, result = self._world, self._result
        ended: RunResult | None = None
        for number in range(MAX_FAULTY_RUNS + MAX_CALM_RUNS):
            world.faults_are_over = number >= MAX_FAULTY_RUNS
            dies_at = crashes[number] if number < len(crashes) else None
            stops_at = stops[number] if number < len(stops) else None
            ended = self._run_once(self._upload(dies_at, stops_at))
            result.runs += 1
            result.steps += world.steps
            result.exit_codes.append(None if ended is None else int(ended.report.exit_code))
            if ended is not None and self._is_over(ended):
                break
        return ended

    def _grow(self) -> None:
        """Let the sources that grow be longer than they were when they were uploaded."""
        # What Studio holds by now, whether or not the journal has recorded it: a crash may lie
        # between the two.
        studio = self._world.studio
        held = {JobKey(*studio.key_of(one)) for one in studio.measurements()}
        self._extended = frozenset(held) & self._scenario.grown
        for number, key in enumerate(self._scenario.jobs):
            if key in self._scenario.grown:
                self._contents[key] = grown_content(number % CONTENTS)
                self._sources[key].write_text("a source that has grown, by this\n", "utf-8")

    def _store(self) -> Store:
        return Store(self._job_dir / FILE_NAME, is_read_only=True)

    def _is_over(self, ended: RunResult) -> bool:
        if ended.report.exit_code not in (ExitCode.ARRIVED, ExitCode.PARTIAL):
            return False
        gave_up = "SELECT COUNT(*) FROM job WHERE has_given_up AND cause<>'processing_unfinished'"
        for folder in part_folders(self._job_dir):
            with closing(connect(folder / FILE_NAME, is_read_only=True)) as reader:
                if reader.execute(gave_up).fetchone()[0]:
                    return False
        return True

    def _run_once(self, main: Coroutine[Any, Any, T]) -> T | None:
        """Run the engine in virtual time; return None where it crashed."""

        def make_loop() -> VirtualTimeLoop:
            return VirtualTimeLoop(socket_grace_s=0.0)

        with asyncio.Runner(loop_factory=make_loop) as runner:
            try:
                return runner.run(main)
            except asyncio.CancelledError:
                self._result.crashes += 1
                self._leave_behind(self._job_dir)
                return None

    def _leave_behind(self, folder: Path) -> None:
        """Leave a spool as a kill does: a cancelled task cleans up, a killed one does not."""
        spool = folder / SPOOL_NAME
        spool.mkdir(parents=True, exist_ok=True)
        (spool / "1.parquet").write_bytes(b"torn")

    async def _upload(self, dies_at: int | None, stops_at: float | None) -> RunResult:
        world, clock = self._world, WorldClock(self._world)
        me = asyncio.current_task()
        assert me is not None
        world.begin_run(lambda: self._kill(me), dies_at)
        stop = Stop(grace_s=30.0)
        progress = self._progress(clock)
        clients = self._result.clients
        loop = asyncio.get_running_loop()
        loop.call_later(LONGEST_RUN_S, self._hangs, me)
        if stops_at is not None:
            loop.call_later(stops_at, stop.request, ExitCode.TERMINATED, "by SIGTERM")
        try:
            with one_error():
                result = await self._carry_out(clock, progress, stop)
        finally:
            self._result.ended_s = world.now()
            world.end_run()
        self._result.requests += progress.wire.requests
        self._result.retries += progress.wire.retries
        self._judge_retries(progress, self._result.clients - clients)
        return result

    def _kill(self, run: asyncio.Task[object]) -> None:
        run.cancel()

    def _progress(self, clock: WorldClock) -> Progress:
        return Progress(clock)

    async def _carry_out(self, clock: WorldClock, progress: Progress, stop: Stop) -> RunResult:
        return await run_job(self._request(clock), progress, stop)

    def _settings(self) -> RunSettings:
        scenario = self._scenario
        return RunSettings(
            attaches_raw=scenario.attaches_raw,
            existing=scenario.existing,
            limits=RunLimits(
                workers=scenario.workers,
                connections=scenario.connections,
                memory_bytes=2**30,
                spool_limit_bytes=scenario.spool_limit_bytes,
                outage_limit_s=scenario.outage_limit_s,
            ),
        )

    def _request(self, clock: WorldClock) -> RunRequest:
        settings, in_line = self._settings(), InLine(self._world, self._contents)
        return RunRequest(
            job_dir=self._job_dir,
            make_plan=lambda connection, run, _: plan_into(
                connection,
                run,
                self._plan(),
                checks=settings.checks,
                prepare_options=settings.prepare_options,
                at=clock.now().timestamp(),
            ),
            target=TARGET,
            settings=settings,
            command="bulkload upload archive",
            open_studio=self._opener(self._world),
            clock=clock,
            open_journal=in_line.open_journal,
            open_pool=in_line.open_pool,
            open_live_file=lambda *_: nullcontext(),
        )

    def _plan(self) -> list[PlanItem]:
        specs = sorted({key.spec for key in self._scenario.jobs})
        items: list[PlanItem] = [
            Specification(name=name, payload={"name": name, "ratings": {}}, origin="spec.json")
            for name in specs
        ]
        return items + [
            UploadJob(key=key, path=str(self._sources[key]), expects_new=self._scenario.expects_new)
            for key in self._scenario.jobs
        ]

    def _opener(self, world: World) -> OpenStudio:
        """Return the factory of an engine's or a lane's client in its world."""

        def open_studio(observer: Observer, settings: RunSettings) -> AsyncStudio:
            def observe(event: WireEvent) -> None:
                if isinstance(event, Exchanged):
                    self._result.exchanged.append((world.now(), event.service, event.status))
                observer(event)

            self._result.clients += 1
            delivery = WorldDelivery(
                world=world,
                inject=self._scenario.inject,
                observer=observe,
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

        return open_studio

    def _hangs(self, run: asyncio.Task[object]) -> None:
        self._result.violations.append(f"a run did not end in {LONGEST_RUN_S:.0f} virtual seconds")
        run.cancel()

    def _judge_retries(self, progress: Progress, clients: int) -> None:
        bound = (CAPACITY + 1) * clients + EARNED_PER_REQUEST * progress.wire.requests
        bound += TRICKLE_PER_S * progress.elapsed_s * self._scenario.lanes
        if progress.wire.retries > bound:
            self._result.violations.append(
                f"{progress.wire.retries} retries for {progress.wire.requests} requests"
            )

    def _judge(self, ended: RunResult | None) -> None:
        if ended is None or not self._is_over(ended):
            self._result.violations.append(f"no end in {self._result.runs} runs")
            return
        judge = ScenarioJudge(
            self._result,
            self._world,
            self._contents,
            self._job_dir,
            sources=self._sources,
            extended=self._extended,
        )
        judge.judge(ended.report)
        self._verify_all()

    def _roll_back_once(self, dies_at: int | None) -> RollbackReport | None:
        return self._run_once(self._roll_back(dies_at))

    async def _roll_back(self, dies_at: int | None) -> RollbackReport:
        world, clock = self._world, WorldClock(self._world)
        me = asyncio.current_task()
        assert me is not None
        world.begin_run(me.cancel, dies_at)
        in_line = InLine(world, self._contents)
        path = self._job_dir / FILE_NAME
        try:
            with Store(path) as store:
                wanted = candidates(store)
                visible_at = all_visible_at(store, clock.now().timestamp())
                run = store.begin_run(
                    "bulkload rollback", TARGET.as_json(), clock.now().timestamp()
                )
            async with (
                in_line.open_journal(path, run, lambda: clock.now().timestamp()) as journal,
                self._opener(world)(lambda _: None, RunSettings()) as studio,
            ):
                progress = Progress(clock, [StageName.DELETE])
                rollback = Rollback(studio, journal, progress, clock, all_visible_at=visible_at)
                return await rollback.run(wanted)
        finally:
            world.end_run()

    def _verify_all(self) -> None:
        """Read everything back, as ``bulkload verify --all`` does."""

        async def read_back() -> list[str]:
            me = asyncio.current_task()
            assert me is not None
            self._world.begin_run(me.cancel, None)
            studio = self._opener(self._world)(lambda _: None, RunSettings())
            with WholeJob(self._job_dir) as whole:
                async with studio:
                    progress = Progress(WorldClock(self._world), [StageName.COMPARE])
                    report = await verify(
                        whole.stores, studio, sample=None, chance=Random(0), progress=progress
                    )
            return [f"verify: {one.key}: {one.message}" for one in report.differences]

        self._world.faults_are_over = True
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(socket_grace_s=0.0)) as runner:
            self._result.violations += runner.run(read_back())
