"""What limits a run now, and what would change it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class LimitName(StrEnum):
    """What a run waits for."""

    NONE = "none"
    #: Finding the measurements.
    PLANNING = "planning"
    #: The workers: reading from the disk, parsing, validating, encoding.
    DISK = "disk"
    PARSING = "parsing"
    VALIDATING = "validating"
    ENCODING = "encoding"
    #: The workers, where it is not known which part of their work.
    WORKERS = "workers"
    API = "api"
    STORAGE = "storage"
    PROCESSING = "processing"
    #: A server that allows so many calls and no more.
    RATE_LIMIT = "rate limit"
    RETRY_BUDGET = "retry budget"
    #: A server that does not answer.
    SERVER = "server"


#: What would change each limit.
CHANGES: Final[Mapping[LimitName, str]] = {
    LimitName.NONE: "",
    LimitName.PLANNING: "nothing is sent until the plan is complete",
    LimitName.DISK: "a faster disk or share, or fewer --workers where it seeks",
    LimitName.PARSING: "more cores, or more --workers where cores are idle",
    LimitName.VALIDATING: "more cores, or more --workers where cores are idle",
    LimitName.ENCODING: "more cores, or more --workers where cores are idle",
    LimitName.WORKERS: "more cores, or more --workers where cores are idle",
    LimitName.API: "more --connections, or a shorter way to the API",
    LimitName.STORAGE: "a faster uplink; storage itself may be the limit",
    LimitName.PROCESSING: "nothing on this side: Studio processes what it has",
    LimitName.RATE_LIMIT: "a higher limit at Studio; more --connections would not help",
    LimitName.RETRY_BUDGET: "a healthier server: retries are held back so as not to harm it",
    LimitName.SERVER: "nothing on this side: the run goes on when the server answers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What limits a run now."""

    #: A word: `none`, `planning`, `disk`, `parsing`, `validating`, `encoding`, `workers`, `api`,
    #: `storage`, `processing`, `rate limit`, `retry budget` or `server`.
    name: LimitName
    #: The figures behind it, in words.
    detail: str = ""

    @property
    def change(self) -> str:
        """What would change it, empty where nothing limits the run."""
        return CHANGES[self.name]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"name": self.name, "detail": self.detail, "change": self.change}


NO_LIMIT: Final = Limit(name=LimitName.NONE)

#: A stage that is full for this share of the time is what the others wait for.
FULL_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLoad:
    """How full a stage was lately."""

    #: Share of its places that were taken, 0 to 1.
    share: float = 0.0
    in_flight: int = 0
    queued: int = 0
    capacity: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether others wait for it."""
        return self.share >= FULL_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What decides what limits a run."""

    is_planning: bool = False
    #: Why a server does not answer, None where all do.
    out_of_reach: str | None = None
    #: Whether a retry had to wait for the budget lately.
    lacks_budget: bool = False
    #: Calls a second that the API allows, None where it never refused one.
    api_rate: float | None = None
    #: Whether an endpoint is left alone because the server asked for it.
    is_asked_to_wait: bool = False
    prepare: StageLoad = StageLoad()
    api: StageLoad = StageLoad()
    storage: StageLoad = StageLoad()
    processing: StageLoad = StageLoad()
    #: Seconds of the workers' work lately, by the part of it.
    work_s: Mapping[LimitName, float]


def limit_now(load: Load) -> Limit:
    """Return what limits a run: what is nearest to the end of the way and full."""
    if load.out_of_reach is not None:
        return Limit(name=LimitName.SERVER, detail=load.out_of_reach)
    if load.is_planning:
        return Limit(name=LimitName.PLANNING)
    if load.lacks_budget:
        return Limit(name=LimitName.RETRY_BUDGET, detail="too many calls failed lately")
    if _is_backed_up(load.processing) or _is_last(load):
        detail = f"{load.processing.in_flight:,} measurements wait for it"
        return Limit(name=LimitName.PROCESSING, detail=detail)
    if load.is_asked_to_wait or (load.api_rate is not None and load.api.is_full):
        allowed = "" if load.api_rate is None else f"{load.api_rate:.1f} calls a second"
        return Limit(name=LimitName.RATE_LIMIT, detail=allowed or "Studio asked to wait")
    if load.storage.is_full:
        return Limit(name=LimitName.STORAGE, detail=_taken(load.storage, "transfers"))
    if load.api.is_full and load.api.queued:
        return Limit(name=LimitName.API, detail=_taken(load.api, "connections"))
    if load.prepare.is_full and load.prepare.queued:
        return _of_workers(load)
    return NO_LIMIT


def _is_backed_up(processing: StageLoad) -> bool:
    """Return whether Studio has all that it may have waiting."""
    return processing.capacity is not None and processing.in_flight >= processing.capacity > 0


def _is_last(load: Load) -> bool:
    """Return whether only processing is left to wait for."""
    before = (load.prepare, load.api, load.storage)
    return load.processing.in_flight > 0 and not any(one.in_flight + one.queued for one in before)


def _of_workers(load: Load) -> Limit:
    detail = _taken(load.prepare, "workers")
    total_s = sum(load.work_s.values())
    if total_s <= 0:
        return Limit(name=LimitName.WORKERS, detail=detail)
    name = max(load.work_s, key=lambda one: load.work_s[one])
    share = load.work_s[name] / total_s
    return Limit(name=name, detail=f"{detail}, {share:.0%} of their time")


def _taken(stage: StageLoad, noun: str) -> str:
    of = "" if stage.capacity is None else f" of {stage.capacity:,}"
    return f"{stage.in_flight:,}{of} {noun} busy"
