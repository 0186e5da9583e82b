"""Counters of what a run is doing: fed by events, read by what shows or sums up the run."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import Lock
from typing import Final

from bulkload.clock import Clock
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Failed,
    Found,
    GaveUp,
    ProcessingFailed,
    ProcessingReady,
    SourcePrepared,
    SourceRejected,
    Stored,
)
from bulkload.core.limiting import NO_LIMIT, Limit, LimitName, Load, StageLoad, limit_now
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import (
    FILES_NAMED,
    RATE_WINDOW_S,
    Eta,
    RunSnapshot,
    RunState,
    StageName,
    StageState,
)
from bulkload.engine.jobs import JobContext
from bulkload.engine.limits import (
    BUDGET_SHOWN_S,
    ETA_AFTER_ENTRIES,
    ETA_AFTER_S,
    EXAMPLE_CHARACTERS,
    SNAPSHOT_TRIES,
)
from bulkload.engine.stages import Stages
from bulkload.engine.throughput import Throughput, Totals
from bulkload.engine.wire_counters import WireCounters
from bulkload.settings import RunLimits

#: What ends a job in a run, and how.
ENDINGS = {
    ProcessingReady: OutcomeKind.CREATED,
    Found: OutcomeKind.EXISTING,
    SourceRejected: OutcomeKind.REJECTED,
    Failed: OutcomeKind.FAILED,
    ProcessingFailed: OutcomeKind.FAILED,
    GaveUp: OutcomeKind.FAILED,
}
#: The stages of an upload, and those of them whose load decides what limits it.
UPLOAD_STAGES: Final = (
    StageName.PLAN, StageName.PREPARE, StageName.API, StageName.STORAGE, StageName.PROCESSING,
)  # fmt: skip
_LOADED: Final = frozenset(UPLOAD_STAGES[1:])
#: The stages of which each command has one, and begins with it once it has its plan.
_FIRST: Final = frozenset(
    {StageName.PREPARE, StageName.LOOK, StageName.COMPARE, StageName.DELETE, StageName.WRITE}
)  # fmt: skip


def upload_capacity(limits: RunLimits) -> dict[StageName, int]:
    """Return what each stage of an upload may have in flight."""
    return {
        StageName.PREPARE: limits.workers,
        StageName.API: limits.connections,
        StageName.STORAGE: limits.connections,
    }


class Progress:
    """Counters of this run, for people: the outcomes are counted from the journal."""

    def __init__(self, clock: Clock, stages: Sequence[StageName] = UPLOAD_STAGES) -> None:
        self._clock = clock
        self.started_at = clock.monotonic()
        self._started = clock.now().timestamp()
        self._run, self._command = 0, ""
        self._is_stopping: Callable[[], bool] = lambda: False
        self.has_ended = False
        self.exit_code: int | None = None
        #: Entries of the plan, and those that earlier runs or rules have ended.
        self.planned = 0
        self.counts: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        #: The first message of each cause.
        self._examples: dict[str, str] = {}
        self.prepared = 0
        self.rows = 0
        self.bytes_read = 0
        self.wire = WireCounters(clock)
        #: Is called when a job enters a stage.
        self.on_move: Callable[[JobContext, StageName], None] = lambda _, __: None
        #: Where each measurement under way is.
        self.stages = Stages(stages, self.started_at)
        #: From prepared to ended, the longest so far, in seconds.
        self.longest_delivery_s = 0.0
        #: When each job under way was prepared: as many entries as jobs in the pipeline.
        self._prepared_at: dict[int, float] = {}
        self._prepare_s = 0.0
        #: Seconds of the workers' work, by the part of it.
        self._work_s: dict[LimitName, float] = {}
        self._throughput = Throughput()
        #: Held while the totals of the last minutes are read.
        self._asking = Lock()

    def begin(self, run: int, command: str, is_stopping: Callable[[], bool]) -> None:
        """Note which run this is, and how to find out whether it is to stop."""
        self._run, self._command, self._is_stopping = run, command, is_stopping

    def found(self) -> None:
        """Count an entry that was found in the sources; any one thread may do that."""
        self.stages.done[StageName.PLAN] += 1

    def plan_is_complete(self, planned: int, **capacity: int) -> None:
        """Note how many entries there are, and what each stage may have in flight, by its name."""
        self.stages.capacity |= {StageName(name): most for name, most in capacity.items()}
        self.planned = planned

    @property
    def state(self) -> RunState:
        """What the run is doing."""
        if self.has_ended:
            return RunState.ENDED
        if self._is_stopping():
            return RunState.STOPPING
        if not self.planned:
            return RunState.PLANNING
        return RunState.RUNNING if self.wire.out_of_reach is None else RunState.WAITING

    @property
    def done(self) -> int:
        """How many entries have ended."""
        return sum(self.counts.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock.monotonic() - self.started_at

    @contextmanager
    def preparing(self, context: JobContext) -> Iterator[None]:
        """Count the time in the block as a worker's, for that job."""
        self.moved(context, StageName.PREPARE)
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._prepare_s += self._clock.monotonic() - began

    def shares(self, limits: RunLimits) -> dict[str, float]:
        """Return how full each stage was, 0 to 1, over the run."""
        connections_s = limits.connections * max(self.elapsed_s, 1e-9)
        return {
            "prepare": self._prepare_s / (limits.workers * max(self.elapsed_s, 1e-9)),
            "api": self.wire.busy_s["api"] / connections_s,
            "storage": self.wire.busy_s["storage"] / connections_s,
            "processing": self.wire.busy_s["processing"],
        }

    # -- Where a measurement is ------------------------------------------------------------------

    def moved(self, context: JobContext, stage: StageName, *, is_waiting: bool = False) -> None:
        """Have a job enter a stage, or wait for it."""
        if not is_waiting:
            self.on_move(context, stage)
        if self.stages.has(context.id, stage, is_waiting=is_waiting):
            return
        self.stages.put(
            context.id,
            stage,
            self._clock.monotonic(),
            path=context.job.place,
            key=context.job.key,
            is_waiting=is_waiting,
        )

    def entered(self, job: Hashable, stage: StageName, path: str) -> None:
        """Have something that no upload is under way for (a file, a record) enter a stage."""
        self.stages.put(job, stage, self._clock.monotonic(), path=path)

    def came_out(self, job: Hashable, stage: StageName, word: str) -> None:
        """Have it leave the stage, which ends it, and count how."""
        self.left(job)
        self.stages.done[stage] += 1
        self.counts[word] += 1

    def worked(self, work_s: Mapping[LimitName, float]) -> None:
        """Count what a worker's time for one file went to."""
        for part, seconds in work_s.items():
            self._work_s[part] = self._work_s.get(part, 0.0) + seconds

    def left(self, job: Hashable) -> None:
        """Have a job, by its id, leave the stages."""
        self.stages.take(job, self._clock.monotonic())

    def taken_up(self, context: JobContext) -> None:
        """Count the time of a job's delivery from here on, its wait for a free upload included."""
        self._prepared_at[context.id] = self._clock.monotonic()
        self.stages.done[StageName.PREPARE] += 1
        self.moved(context, StageName.API, is_waiting=True)

    def on_event(self, context: JobContext, event: Event) -> None:
        """Count an event of a job."""
        self._on_step(context, event)
        if isinstance(event, SourcePrepared):
            self.prepared += 1
            self.rows += event.rows
            self.bytes_read += event.source_bytes
        elif (kind := ENDINGS.get(type(event))) is not None:
            self.counts[kind] += 1
            self.left(context.id)
            if (began := self._prepared_at.pop(context.id, None)) is not None:
                took_s = self._clock.monotonic() - began
                self.longest_delivery_s = max(self.longest_delivery_s, took_s)
        if isinstance(event, SourceRejected | Failed | GaveUp):
            self.failed(event.cause, event.message)
        elif isinstance(event, ProcessingFailed):
            self.failed("processing_failed", event.message)

    def failed(self, cause: str, message: str) -> None:
        """Count what did not arrive by its cause, and keep the first message of each."""
        self.causes[cause] += 1
        if cause not in self._examples:
            cut = f"{message[: EXAMPLE_CHARACTERS - 1]}…"
            self._examples[cause] = message if len(message) <= EXAMPLE_CHARACTERS else cut

    def _on_step(self, context: JobContext, event: Event) -> None:
        """Follow a job through the stages."""
        done = self.stages.done
        match event:
            case Attempting():
                is_put = event.act is Act.PUT
                self.moved(context, StageName.STORAGE if is_put else StageName.API)
            case Stored():
                done[StageName.STORAGE] += 1
                self.moved(context, StageName.API)
            case Confirmed():
                done[StageName.API] += 1
                self.moved(context, StageName.PROCESSING)
            case SourceRejected():
                done[StageName.PREPARE] += 1
            case ProcessingReady() | ProcessingFailed():
                done[StageName.PROCESSING] += 1

    # -- The state now ---------------------------------------------------------------------------

    def snapshot(self) -> RunSnapshot:
        """Return the state of the run now. Cheap enough for several times a second.

        Any thread may ask. What the run counts meanwhile is in it, or in the next one.
        """
        for _ in range(SNAPSHOT_TRIES):
            # A copy of what grows at this very moment fails, as rarely as it is made: again.
            with suppress(RuntimeError):
                return self._snapshot()
        return self._snapshot()

    def _snapshot(self) -> RunSnapshot:
        with self._asking:
            totals = self._totals()
            self._throughput.add(totals)
            lately = self._throughput.before(totals, RATE_WINDOW_S)
            eta = self._eta(totals)
        span_s = max(totals.at - lately.at, 1e-9)
        return RunSnapshot(
            at=self._clock.now().timestamp(),
            started_at=self._started,
            pid=os.getpid(),
            host=_host(),
            run=self._run,
            command=self._command,
            state=self.state,
            planned=self.planned,
            counts=dict(self.counts),
            causes=dict(self.causes.most_common()),
            examples=dict(self._examples),
            stages=tuple(self._stage_states(lately, span_s)),
            rows=self.rows,
            bytes_read=self.bytes_read,
            bytes_sent=self.wire.bytes_sent,
            bytes_read_rate=(totals.bytes_read - lately.bytes_read) / span_s,
            bytes_sent_rate=(totals.bytes_sent - lately.bytes_sent) / span_s,
            requests=self.wire.requests,
            retries=self.wire.retries,
            files=self.stages.oldest(FILES_NAMED, totals.at),
            files_in_hand=self.stages.in_hand,
            pauses=self.wire.pauses(),
            limit=self._limit(totals, lately, span_s),
            eta=eta,
            exit_code=self.exit_code,
        )

    def _totals(self) -> Totals:
        now = self._clock.monotonic()
        return Totals(
            at=now,
            ended=self.done,
            bytes_read=self.bytes_read,
            bytes_sent=self.wire.bytes_sent,
            done=dict(self.stages.done),
            busy_s={name: self.stages.busy_s(name, now) for name in self.stages.names},
            work_s=dict(self._work_s),
        )

    def _stage_states(self, lately: Totals, span_s: float) -> Iterator[StageState]:
        for name in self.stages.names:
            done, capacity = self.stages.done[name], self._capacity(name)
            taken = self.stages.in_flight(name)
            # Transfers wait for a free stream, which is not told one by one.
            over = 0 if capacity is None or name is not StageName.STORAGE else taken - capacity
            yield StageState(
                name=name,
                queued=self._queued(name) + max(0, over),
                in_flight=taken - max(0, over),
                done=done,
                capacity=capacity,
                rate=(done - lately.done.get(name, 0)) / span_s,
            )

    def _queued(self, name: StageName) -> int:
        """Return how many wait for a stage; for the first after the plan, all not begun."""
        if name not in _FIRST:
            return self.stages.waiting(name)
        return max(0, self.planned - self.done - self.stages.in_hand)

    def _capacity(self, name: StageName) -> int | None:
        if name is StageName.STORAGE and self.wire.streams is not None:
            return self.wire.streams
        return self.stages.capacity.get(name)

    def _limit(self, totals: Totals, lately: Totals, span_s: float) -> Limit:
        if self.has_ended:
            return NO_LIMIT
        lacked_at = self.wire.budget_lacked_at
        loads = {
            str(name): self._load(name, totals, lately, span_s)
            for name in self.stages.names
            if name in _LOADED
        }
        return limit_now(
            Load(
                is_planning=self.state is RunState.PLANNING,
                out_of_reach=self.wire.out_of_reach,
                lacks_budget=lacked_at is not None and totals.at - lacked_at < BUDGET_SHOWN_S,
                api_rate=self.wire.api_rate,
                is_asked_to_wait=bool(self.wire.pauses()),
                work_s={
                    name: seconds - lately.work_s.get(name, 0.0)
                    for name, seconds in totals.work_s.items()
                },
                **loads,
            )
        )

    def _load(self, name: StageName, totals: Totals, lately: Totals, span_s: float) -> StageLoad:
        capacity = self._capacity(name)
        busy_s = totals.busy_s[name] - lately.busy_s.get(name, 0.0)
        return StageLoad(
            share=busy_s / (span_s * capacity) if capacity else 0.0,
            in_flight=self.stages.in_flight(name),
            queued=self._queued(name),
            capacity=capacity,
        )

    def _eta(self, totals: Totals) -> Eta | None:
        left = self.planned - totals.ended
        if left <= 0 or self.state is not RunState.RUNNING:
            return None
        # What is in the pipeline before the first end says nothing of the pace.
        earlier = self._throughput.first_end(totals)
        over_s, ended = totals.at - earlier.at, totals.ended - earlier.ended
        if over_s < ETA_AFTER_S or ended < ETA_AFTER_ENTRIES:
            return None
        return Eta(left=left, rate=ended / over_s, over_s=over_s)


@lru_cache(1)
def _host() -> str:
    return socket.gethostname()
