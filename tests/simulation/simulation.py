"""One seed, one scenario: an archive, a Studio, faults, crashes; and what must hold at its end.

A scenario runs in virtual time on one thread. The engine is started again after each crash,
as often as the scenario says; at last all faults end, and then everything must be accounted for:
each measurement in the Studio exactly once with the bytes that were intended, or rejected for the
reason that the scenario gave.
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
from bulkload.journal import FILE_NAME, Store
from bulkload.journal.database import connect
from bulkload.settings import RunLimits, RunSettings
from tests.simulation.engine import Content, InLine, WorldDelivery, threads_in_line
from tests.simulation.judge import Result, ScenarioJudge
from tests.simulation.memory_studio import MemoryRecord
from tests.simulation.scenario import CONTENTS, Scenario, content
from tests.simulation.virtual_clock import VirtualTimeLoop
from tests.simulation.world import World, WorldClock

#: Runs with faults at most, and then without: more than that is no progress.
MAX_FAULTY_RUNS: Final = 8
MAX_CALM_RUNS: Final = 3
#: Virtual seconds after which a run that does not end has hung.
LONGEST_RUN_S: Final = 48 * 3600.0


def run(scenario: Scenario, folder: Path | None = None) -> Result:
    """Run a scenario and judge it; ``Result.violations`` is empty where all held."""
    if folder is None:
        with TemporaryDirectory(prefix="bulkload-simulation-", dir=_memory()) as scratch:
            return run(scenario, Path(scratch))
    with threads_in_line():
        return _Simulation(scenario, folder).run()


def _memory() -> Path | None:
    """Return a folder in memory where there is one: simulated crashes keep what is written."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


class _Simulation:
    """A scenario while it runs."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._result = Result(scenario=scenario)
        self._job_dir = folder / "job"
        self._source = folder / "source.csv"
        self._source.write_text("the same for all: what it holds is in memory\n", "utf-8")
        self._contents = {
            key: content(number % CONTENTS) for number, key in enumerate(scenario.jobs)
        } | {
            key: Content(data=b"", rows=0, columns=(), content_digest="", is_bad=True)
            for key in scenario.bad
        }
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

    def run(self) -> Result:
        """Run until everything is done, then judge."""
        scenario, world, result = self._scenario, self._world, self._result
        ended: RunResult | None = None
        for number in range(MAX_FAULTY_RUNS + MAX_CALM_RUNS):
            world.faults_are_over = number >= MAX_FAULTY_RUNS
            dies_at = scenario.crashes[number] if number < len(scenario.crashes) else None
            stops_at = scenario.stops[number] if number < len(scenario.stops) else None
            ended = self._run_once(dies_at, stops_at)
            result.runs += 1
            result.steps += world.steps
            result.exit_codes.append(None if ended is None else int(ended.report.exit_code))
            if ended is not None and self._is_over(ended):
                break
        result.virtual_s = world.base_s
        result.sent = world.sent
        self._judge(ended)
        result.violations += world.violations
        return result

    def _is_over(self, ended: RunResult) -> bool:
        if ended.report.exit_code not in (ExitCode.ARRIVED, ExitCode.PARTIAL):
            return False
        with closing(connect(self._job_dir / FILE_NAME, is_read_only=True)) as reader:
            gave_up = reader.execute(
                "SELECT COUNT(*) FROM job WHERE has_given_up AND cause<>'processing_unfinished'"
            ).fetchone()[0]
        return not gave_up

    def _run_once(self, dies_at: int | None, stops_at: float | None) -> RunResult | None:
        def make_loop() -> VirtualTimeLoop:
            return VirtualTimeLoop(socket_grace_s=0.0)

        with asyncio.Runner(loop_factory=make_loop) as runner:
            try:
                return runner.run(self._run(dies_at, stops_at))
            except asyncio.CancelledError:
                self._leave_behind()
                return None

    def _leave_behind(self) -> None:
        """Leave a spool as a kill does: a cancelled task cleans up, a killed one does not."""
        spool = self._job_dir / SPOOL_NAME
        spool.mkdir(parents=True, exist_ok=True)
        (spool / "1.parquet").write_bytes(b"torn")

    async def _run(self, dies_at: int | None, stops_at: float | None) -> RunResult:
        world, clock = self._world, WorldClock(self._world)
        me = asyncio.current_task()
        assert me is not None
        world.begin_run(me.cancel, dies_at)
        stop = Stop(grace_s=30.0)
        progress = Progress(clock)
        loop = asyncio.get_running_loop()
        loop.call_later(LONGEST_RUN_S, self._hangs, me)
        if stops_at is not None:
            loop.call_later(stops_at, stop.request, ExitCode.TERMINATED, "by SIGTERM")
        try:
            with one_error():
                result = await run_job(self._request(clock), progress, stop)
        finally:
            self._result.ended_s = world.now()
            world.end_run()
        self._result.requests += progress.requests
        self._result.retries += progress.retries
        self._judge_retries(progress)
        return result

    def _request(self, clock: WorldClock) -> RunRequest:
        scenario, in_line = self._scenario, InLine(self._world, self._contents)
        settings = RunSettings(
            limits=RunLimits(
                workers=scenario.workers,
                connections=scenario.connections,
                memory_bytes=2**30,
                outage_limit_s=scenario.outage_limit_s,
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
        specs = sorted({key.spec for key in self._scenario.jobs})
        items: list[PlanItem] = [
            Specification(name=name, payload={"name": name, "ratings": {}}, origin="spec.json")
            for name in specs
        ]
        return items + [UploadJob(key=key, path=str(self._source)) for key in self._scenario.jobs]

    def _open_studio(self, observer: object, settings: RunSettings) -> AsyncStudio:
        def observe(event: WireEvent) -> None:
            if isinstance(event, Exchanged):
                at = self._world.now()
                self._result.exchanged.append((at, event.service, event.status))
            assert callable(observer)
            observer(event)

        delivery = WorldDelivery(
            world=self._world,
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

    def _hangs(self, run: asyncio.Task[object]) -> None:
        self._result.violations.append(f"a run did not end in {LONGEST_RUN_S:.0f} virtual seconds")
        run.cancel()

    def _judge_retries(self, progress: Progress) -> None:
        bound = CAPACITY + EARNED_PER_REQUEST * progress.requests
        bound += TRICKLE_PER_S * progress.elapsed_s + 1
        if progress.retries > bound:
            self._result.violations.append(
                f"{progress.retries} retries for {progress.requests} requests"
            )

    def _judge(self, ended: RunResult | None) -> None:
        if ended is None or not self._is_over(ended):
            self._result.violations.append(f"no end in {self._result.runs} runs")
            return
        judge = ScenarioJudge(self._result, self._world, self._contents, self._job_dir)
        judge.judge(ended.report)
        self._verify_all()

    def _verify_all(self) -> None:
        """Read everything back, as ``bulkload verify --all`` does."""

        async def read_back() -> list[str]:
            me = asyncio.current_task()
            assert me is not None
            self._world.begin_run(me.cancel, None)
            studio = self._open_studio(lambda _: None, RunSettings())
            with Store(self._job_dir / FILE_NAME, is_read_only=True) as store:
                async with studio:
                    report = await verify(store, studio, sample=None, chance=Random(0))
            return [f"verify: {one.key}: {one.message}" for one in report.differences]

        self._world.faults_are_over = True
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(socket_grace_s=0.0)) as runner:
            self._result.violations += runner.run(read_back())
