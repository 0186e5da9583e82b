"""The state of a run at one moment: what the terminal, the page, the metrics and others show.

A running process writes it once a second into its folder (``engine/live_file.py``). Times are
seconds since 1970, UTC; rates are a second, over the last ``RATE_WINDOW_S``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from bulkload.core.limiting import NO_LIMIT, Limit, LimitName

#: The form of the JSON: raised where a field changes its meaning; new fields do not raise it.
FORMAT: Final = 1
#: Seconds over which rates are taken: long enough to be steady, short enough to see a change.
RATE_WINDOW_S: Final = 10.0
#: Files in progress that a snapshot names, the oldest first: what hangs is among them.
FILES_NAMED: Final = 32


class RunState(StrEnum):
    """What a run is doing."""

    #: Finding the measurements of its sources.
    PLANNING = "planning"
    RUNNING = "running"
    #: A service does not answer; everything else waits for it.
    WAITING = "waiting"
    #: Nothing new is begun; what is open may finish.
    STOPPING = "stopping"
    ENDED = "ended"


class StageName(StrEnum):
    """The stages of the commands, in the order of the data."""

    #: Finding entries in the sources.
    PLAN = "plan"
    #: Looking at the beginnings of files (survey).
    LOOK = "look"
    #: Reading, validating and encoding in a worker.
    PREPARE = "prepare"
    #: Calls of the API for a measurement.
    API = "api"
    #: Sending its bytes to storage.
    STORAGE = "storage"
    #: Studio processes it.
    PROCESSING = "processing"
    #: Reading back and comparing (verify).
    COMPARE = "compare"
    #: Deleting a record (rollback).
    DELETE = "delete"
    #: Writing a file of evidence (pack).
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """One stage; all but ``rate`` counts measurements (``delete``: records, ``write``: files)."""

    #: Its name.
    name: StageName
    #: Those that wait for the stage.
    queued: int = 0
    #: Those that are in it.
    in_flight: int = 0
    #: Those that went through it.
    done: int = 0
    #: How many can be in flight, None where nothing bounds it.
    capacity: int | None = None
    #: Done a second.
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInHand:
    """A measurement under way."""

    #: Path of the source, or name of a record. Untrusted text.
    path: str
    #: Specification, cell and measurement; empty where there is no job.
    key: str
    #: Where it is.
    stage: StageName
    #: How long it has been in this stage, in seconds.
    age_s: float


#: What waits where a service does not answer at all.
SERVER: Final = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Something waits on purpose."""

    #: What waits: an endpoint of the API, or ``SERVER`` where all does.
    what: str
    #: The reason. Untrusted text.
    why: str
    #: When it continues, None where that is unknown.
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """When the run will end if it goes on as in the last ``over_s`` seconds."""

    #: Entries without an outcome.
    left: int
    #: How many ended a second.
    rate: float
    #: Over how many seconds that pace was taken.
    over_s: float

    @property
    def seconds(self) -> float:
        """Seconds until the end."""
        return self.left / self.rate

    @property
    def basis(self) -> str:
        """What the estimate stands on, in words."""
        pace = f"{self.rate:,.1f} a second" if self.rate >= 1 else f"{self.rate * 60:,.1f} a minute"
        return f"{self.left:,} left at {pace}, the pace of the last {self.over_s:.0f} s"

    def as_json(self) -> dict[str, Any]:
        """Return the values, with what follows from them."""
        return {**asdict(self), "seconds": round(self.seconds, 1), "basis": self.basis}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """A run, or several parts of one, at a moment."""

    #: When this was the state.
    at: float
    #: When the command began.
    started_at: float
    #: Number of its process.
    pid: int
    #: Name of its machine.
    host: str
    #: Number of the run in its journal, 0 where it has none (yet).
    run: int
    #: The command as typed.
    command: str
    #: `planning`, `running`, `waiting` (for a server), `stopping` or `ended`.
    state: RunState
    #: Entries of the plan, 0 until it is complete.
    planned: int = 0
    #: By outcome; for other commands than an upload by their own words (fit, equal, deleted).
    counts: Mapping[str, int] = field(default_factory=dict)
    #: Word of the cause to number of entries, of this run.
    causes: Mapping[str, int] = field(default_factory=dict)
    #: The first message of each cause of this run, shortened. Untrusted text.
    examples: Mapping[str, str] = field(default_factory=dict)
    #: The stages in the order of the data.
    stages: tuple[StageState, ...] = ()
    #: Rows that were prepared in this run.
    rows: int = 0
    #: Bytes of sources that were read.
    bytes_read: int = 0
    #: Bytes that were sent, those of failed attempts included.
    bytes_sent: int = 0
    #: Bytes read a second.
    bytes_read_rate: float = 0.0
    #: Bytes sent a second.
    bytes_sent_rate: float = 0.0
    #: Attempts at requests and transfers.
    requests: int = 0
    #: Attempts that were repetitions.
    retries: int = 0
    #: Files under way, the oldest first; at most 32.
    files: tuple[FileInHand, ...] = ()
    #: How many are under way.
    files_in_hand: int = 0
    #: What waits for a server.
    pauses: tuple[Pause, ...] = ()
    #: What limits the run.
    limit: Limit = NO_LIMIT
    #: When the run will end, null while that is not known.
    eta: Eta | None = None
    #: How the run ended, None until then.
    exit_code: int | None = None
    #: How many parts this adds up.
    parts: int = 1

    @property
    def done(self) -> int:
        """How many entries have an outcome."""
        return sum(self.counts.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return max(0.0, self.at - self.started_at)

    def stage(self, name: StageName) -> StageState | None:
        """Return a stage, None where this command does not have it."""
        return next((one for one in self.stages if one.name is name), None)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        # By hand, and not `asdict`, which takes five times as long: it is written once a second.
        return {
            "format": FORMAT,
            **_values(self),
            "stages": [_values(one) for one in self.stages],
            "files": [_values(one) for one in self.files],
            "pauses": [_values(one) for one in self.pauses],
            "limit": self.limit.as_json(),
            "eta": None if self.eta is None else self.eta.as_json(),
        }


def _values(one: RunSnapshot | StageState | FileInHand | Pause) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def from_json(value: Mapping[str, Any]) -> RunSnapshot:
    """Return the snapshot of a JSON object; what a later version added is left out.

    Raises ``ValueError``, ``KeyError`` or ``TypeError`` for what is no snapshot.
    """
    eta = value["eta"]
    simple = {name: value[name] for name in _SIMPLE}
    return RunSnapshot(
        **simple,
        state=RunState(value["state"]),
        counts=dict(value["counts"]),
        causes=dict(value["causes"]),
        examples=dict(value["examples"]),
        stages=tuple(
            StageState(**{**one, "name": StageName(one["name"])}) for one in value["stages"]
        ),
        files=tuple(
            FileInHand(**{**one, "stage": StageName(one["stage"])}) for one in value["files"]
        ),
        pauses=tuple(Pause(**one) for one in value["pauses"]),
        limit=Limit(name=LimitName(value["limit"]["name"]), detail=value["limit"]["detail"]),
        eta=None if eta is None else Eta(**{name: eta[name] for name in _ETA}),
    )


#: Fields that JSON has as they are.
_SIMPLE: Final = (
    "at", "started_at", "pid", "host", "run", "command", "planned", "rows", "bytes_read",
    "bytes_sent", "bytes_read_rate", "bytes_sent_rate", "requests", "retries", "files_in_hand",
    "exit_code", "parts",
)  # fmt: skip
_ETA: Final = ("left", "rate", "over_s")

#: What several parts are together: the first of these states that one of them is in.
_RANK: Final = (
    RunState.RUNNING, RunState.PLANNING, RunState.WAITING, RunState.STOPPING, RunState.ENDED,
)  # fmt: skip


def merged(snapshots: Iterable[RunSnapshot]) -> RunSnapshot:
    """Return several parts as one: counts, rates and capacities added, the oldest files first.

    Raises ``ValueError`` without one. Process, host and command are the first one's.
    """
    parts = list(snapshots)
    if not parts:
        raise ValueError("there is no snapshot to merge")
    if len(parts) == 1:
        return parts[0]
    files = sorted((file for one in parts for file in one.files), key=lambda file: -file.age_s)
    codes = [one.exit_code for one in parts]
    return replace(
        parts[0],
        at=max(one.at for one in parts),
        started_at=min(one.started_at for one in parts),
        state=next(state for state in _RANK if any(one.state is state for one in parts)),
        planned=sum(one.planned for one in parts),
        counts=_added(one.counts for one in parts),
        causes=_added(one.causes for one in parts),
        examples={cause: text for one in reversed(parts) for cause, text in one.examples.items()},
        stages=_merged_stages(parts),
        rows=sum(one.rows for one in parts),
        bytes_read=sum(one.bytes_read for one in parts),
        bytes_sent=sum(one.bytes_sent for one in parts),
        bytes_read_rate=sum(one.bytes_read_rate for one in parts),
        bytes_sent_rate=sum(one.bytes_sent_rate for one in parts),
        requests=sum(one.requests for one in parts),
        retries=sum(one.retries for one in parts),
        files=tuple(files[:FILES_NAMED]),
        files_in_hand=sum(one.files_in_hand for one in parts),
        pauses=tuple(dict.fromkeys(pause for one in parts for pause in one.pauses)),
        limit=_merged_limit(parts),
        eta=_merged_eta(parts),
        exit_code=None if None in codes else max(code for code in codes if code is not None),
        parts=sum(one.parts for one in parts),
    )


def _added(counts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    total: Counter[Any] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _merged_stages(parts: Sequence[RunSnapshot]) -> tuple[StageState, ...]:
    names = {stage.name for one in parts for stage in one.stages}
    return tuple(_merged_stage(name, parts) for name in StageName if name in names)


def _merged_stage(name: StageName, parts: Sequence[RunSnapshot]) -> StageState:
    found = [stage for one in parts if (stage := one.stage(name)) is not None]
    capacities = [stage.capacity for stage in found if stage.capacity is not None]
    return StageState(
        name=name,
        queued=sum(stage.queued for stage in found),
        in_flight=sum(stage.in_flight for stage in found),
        done=sum(stage.done for stage in found),
        capacity=sum(capacities) if len(capacities) == len(found) else None,
        rate=sum(stage.rate for stage in found),
    )


def _merged_limit(parts: Sequence[RunSnapshot]) -> Limit:
    """Return what limits most of the parts under way, with the figures of the first of them."""
    limits = [one.limit for one in parts if one.state is not RunState.ENDED]
    if len(limits) < 2:
        return limits[0] if limits else NO_LIMIT
    ((name, count),) = Counter(one.name for one in limits).most_common(1)
    first = next(one for one in limits if one.name is name)
    if name is LimitName.NONE:
        return first
    share = f"{count:,} of {len(limits):,} parts under way"
    return replace(first, detail=f"{first.detail}; {share}" if first.detail else share)


def _merged_eta(parts: Sequence[RunSnapshot]) -> Eta | None:
    known = [one.eta for one in parts if one.eta is not None]
    if not known:
        return None
    left = sum(one.planned - one.done for one in parts if one.state is not RunState.ENDED)
    return Eta(
        left=max(left, 0),
        rate=sum(eta.rate for eta in known),
        over_s=max(eta.over_s for eta in known),
    )


class Liveness(StrEnum):
    """Whether the process behind a snapshot is at work."""

    ALIVE = "alive"
    #: It is there and waits on purpose, or was suspended.
    PAUSED = "paused"
    #: It is gone without having said how it ended; the same command goes on.
    DEAD = "dead"
    ENDED = "ended"


#: Seconds without a new snapshot after which a process is not at work: it writes one a second,
#: and a busy machine or a slow network folder may delay a few.
STALE_AFTER_S: Final = 30.0


def liveness(
    snapshot: RunSnapshot, now: float, *, is_there: bool | None, is_suspended: bool = False
) -> Liveness:
    """Return whether a run is at work.

    ``is_there``: whether its process exists, None where that is not known (another host): then
    the age of the snapshot decides.
    """
    if snapshot.state is RunState.ENDED:
        return Liveness.ENDED
    is_stale = now - snapshot.at > STALE_AFTER_S
    if is_there is False or (is_there is None and is_stale):
        return Liveness.DEAD
    if is_suspended or is_stale or snapshot.state is RunState.WAITING:
        return Liveness.PAUSED
    return Liveness.ALIVE
