"""The figures of delivery, measured on the whole engine in virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from bulkload.core.terms import JobKey
from tests.simulation.memory_studio import StudioRules
from tests.simulation.simulation import tell
from tests.simulation.story import Story
from tests.simulation.troubled_wire import FOR_API, FOR_STORE, Dealer, Trouble
from tests.simulation.verdict import Telling
from tests.simulation.world import Outage, World

#: Requests that an upload makes, by the step of the protocol that each takes.
API_STEPS: Final = (
    "find_spec",
    "create_spec",
    "find_cell",
    "create_cell",
    "list",
    "initiate",
    "confirm",
    "poll",
)
#: Part of the requests of a step that its trouble strikes in the matrix.
STRIKES: Final = 0.5
#: Seconds for which trouble that strikes every request lasts.
SPELL_S: Final = 300.0
DAY_S: Final = 86_400.0
#: A Studio in which nothing goes wrong.
PLAIN: Final = StudioRules(processing_s=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the matrix: a trouble at a step, and what is otherwise out of order."""

    trouble: Trouble
    step: str
    #: What the trouble is called, where its kind does not tell all.
    name: str = ""
    strikes: float = STRIKES
    ends_s: float = math.inf
    clock_ahead_s: float = 0.0
    rules: StudioRules = PLAIN
    #: Whether the engine dies on its way too.
    is_killed: bool = False
    may_fail_as: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """Give the row of the matrix."""
        return self.name or self.trouble.value


def archive(measurements: int, a_cell: int = 10) -> tuple[JobKey, ...]:
    """Name the measurements of an archive of one specification."""
    return tuple(
        JobKey("spec", f"cell {number // a_cell}", f"run {number % a_cell}")
        for number in range(measurements)
    )


def quiet(jobs: tuple[JobKey, ...], seed: int = 0) -> Story:
    """Give a story in which nothing goes wrong."""
    return Story(seed=seed, jobs=jobs, rules=PLAIN, connections=16)


def cells() -> Iterator[Cell]:
    """Give every trouble at every step where it can be."""
    for step in API_STEPS:
        yield from (Cell(trouble=trouble, step=step) for trouble in FOR_API)
        yield Cell(trouble=Trouble.S500, step=step, name="500 always", strikes=1.0, ends_s=SPELL_S)
        for name, ahead_s in (("a day ahead", DAY_S), ("a day behind", -DAY_S)):
            yield Cell(
                trouble=Trouble.S429_DATE, step=step, name=f"clock {name}", clock_ahead_s=ahead_s
            )
    # A store that twice reports other bytes than were sent has not stored them.
    for trouble in FOR_STORE:
        may_fail_as = frozenset({"integrity"} if trouble is Trouble.LIE else ())
        yield Cell(trouble=trouble, step="put", may_fail_as=may_fail_as)
    for trouble in (Trouble.S500, Trouble.EXPIRED, Trouble.EARLY):
        name = f"{trouble} always"
        yield Cell(trouble=trouble, step="put", name=name, strikes=1.0, ends_s=SPELL_S)
    yield from _meanings()


def _meanings() -> Iterator[Cell]:
    """Give what is no accident on the way: refusals, rivals, and a Studio's own trouble."""
    for step in ("initiate", "put", "confirm"):
        yield Cell(trouble=Trouble.QUOTA, step=step, may_fail_as=frozenset({"permission"}))
    yield Cell(trouble=Trouble.CHANNEL, step="confirm", may_fail_as=frozenset({"conflict"}))
    for step in ("create_spec", "create_cell", "initiate", "confirm"):
        yield Cell(trouble=Trouble.RIVAL, step=step)
    keeps = replace(PLAIN, upload_keeps_name_s=30.0)
    yield Cell(trouble=Trouble.STALE_UPLOAD, step="initiate", rules=keeps)
    for step in ("initiate", "put", "confirm"):
        yield Cell(
            trouble=Trouble.RESET_AFTER,
            step=step,
            name="our own stale upload",
            rules=keeps,
            is_killed=True,
        )
    for step in ("create_spec", "create_cell", "confirm"):
        rules = replace(PLAIN, gap_s=3.0)
        yield Cell(trouble=Trouble.RESET_AFTER, step=step, name="shows late", rules=rules)
    for step in ("list", "poll"):
        yield Cell(
            trouble=Trouble.FORGOTTEN,
            step=step,
            rules=replace(PLAIN, processing_s=2.0),
            may_fail_as=frozenset({"record_vanished"}),
        )
    name = frozenset({"run 0"})
    for words, rules in (
        ("processing fails", replace(PLAIN, fails_processing=name)),
        ("processing never ends", replace(PLAIN, never_ends_processing=name)),
    ):
        yield Cell(trouble=Trouble.RESET_AFTER, step="poll", name=words, rules=rules)


def in_cell(cell: Cell, seed: int) -> Telling:
    """Live an upload of three measurements in which one kind of trouble strikes at one step."""

    def deal(world: World, step: str) -> Trouble | None:
        is_there = step == cell.step and world.now() < cell.ends_s
        return cell.trouble if is_there and world.chance.random() < cell.strikes else None

    # Two of a cell and one of another: listings as well as single questions are asked.
    story = replace(
        quiet(archive(3, a_cell=2), seed),
        deal=deal,
        rules=cell.rules,
        clock_ahead_s=cell.clock_ahead_s,
        crashes=(20 + 7 * seed,) if cell.is_killed else (),
        may_fail_as=cell.may_fail_as,
    )
    return tell(story)


def at_rate(
    measurements: int, fault_rate: float, seed: int, dealer: Dealer | None = None
) -> Telling:
    """Live an upload in which that part of all requests meets trouble of any kind."""
    story = replace(quiet(archive(measurements), seed), fault_rate=fault_rate)
    return tell(story if dealer is None else replace(story, deal=dealer))


def through_outage(measurements: int, seconds: float, seed: int) -> tuple[Telling, int]:
    """Live an upload through an outage in its middle; give it and the requests of the outage."""
    calm = tell(quiet(archive(measurements), seed))
    begins_s = calm.sent[len(calm.sent) // 2][0]
    outage = Outage(begins_s, begins_s + seconds)
    told = tell(replace(quiet(archive(measurements), seed), outages=(outage,)))
    sent = sum(outage.begins_s <= at < outage.ends_s for at, _ in told.sent)
    return told, sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a run fared on a server that takes so many requests a second."""

    told: Telling
    #: Requests that were served, a second, and the part that was refused, once settled.
    served_per_s: float
    refused_part: float


def under_limit(measurements: int, per_s: float, seed: int, settles_s: float) -> Pace:
    """Live an upload to a server with a limit; measure from ``settles_s`` to nearly the end."""
    story = replace(
        quiet(archive(measurements), seed), requests_per_s=per_s, connections=32, workers=16
    )
    told = tell(story)
    api = [(at, status) for at, service, status in told.exchanged if service == "api"]
    # The end of a run is short of work, and shows nothing of the limit.
    last_s = told.ended_s * 0.9
    settled = [status for at, status in api if settles_s <= at < last_s]
    refused = sum(status == 429 for status in settled)
    return Pace(
        told=told,
        served_per_s=(len(settled) - refused) / (last_s - settles_s),
        refused_part=refused / max(1, len(settled)),
    )
