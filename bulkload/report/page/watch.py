"""What the page shows of a job at a moment, as JSON: read only, seldom where reading is slow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import Liveness, merged
from bulkload.core.text import printable
from bulkload.core.timeline import Course
from bulkload.engine.live_file import LiveState, read_snapshots
from bulkload.errors import JournalError, SettingsError
from bulkload.journal.overview import NOT_DONE, count_by_cell, last_events
from bulkload.journal.whole import WholeJob
from bulkload.report.limits import LOOK_SHARE, PAGE_CELLS, PAGE_EVENTS
from bulkload.report.page.counting import EventCounter

#: Specification and cell.
CellName = tuple[str, str]


@dataclass(slots=True)
class View:
    """What was seen last; ``cells`` are the counts of each cell by outcome."""

    state: dict[str, Any] = field(default_factory=dict)
    cells: dict[CellName, dict[str, int]] = field(default_factory=dict)


class Watch:
    """Looks at a job folder again and again. Used by one thread at a time."""

    def __init__(self, job_dir: Path) -> None:
        self._job_dir = job_dir
        self._counter = EventCounter()
        self._view = View()
        #: When the journal may be read again, in seconds of the monotonic clock.
        self._again_at = 0.0

    def look(self, now: float) -> View:
        """Return what there is to see; ``now`` in seconds since 1970.

        The state file is read each time. The journal is read so seldom that it takes at most
        ``LOOK_SHARE`` of the time.
        """
        began = time.monotonic()
        if began >= self._again_at:
            self._read_journal(now)
            self._again_at = time.monotonic() + (time.monotonic() - began) / LOOK_SHARE
        self._view.state = {**self._view.state, **_live(read_snapshots(self._job_dir, now), now)}
        self._view.state["at"] = now
        return self._view

    def _read_journal(self, now: float) -> None:
        try:
            with WholeJob(self._job_dir) as whole:
                state, cells = _of_journal(whole, self._counter.course(whole, now))
        except SettingsError:
            # The run has not got so far.
            state, cells = {"trouble": ""}, {}
        except JournalError as error:
            state, cells = {"trouble": str(error)}, self._view.cells
        state["job"] = self._job_dir.resolve().name
        state["folder"] = str(self._job_dir)
        self._view.state = self._view.state | state
        self._view.cells = cells


def _of_journal(
    whole: WholeJob, course: Course | None
) -> tuple[dict[str, Any], dict[CellName, dict[str, int]]]:
    counts, causes = whole.tally(is_waiting=True)
    planned = whole.count_planned()
    cells: dict[CellName, dict[str, int]] = {}
    beyond = 0
    for store, plan in whole.plans():
        is_waiting = bool(plan.settings.get("is_waiting", True))
        for one in count_by_cell(store, plan.id, is_waiting=is_waiting):
            if (one.spec, one.cell) not in cells and len(cells) >= PAGE_CELLS:
                beyond += one.jobs
                continue
            of_cell = cells.setdefault((one.spec, one.cell), {})
            of_cell[one.outcome] = of_cell.get(one.outcome, 0) + one.jobs
    open_entries = planned - counts.total()
    examples = {one.cause: one.message for one in whole.examples(1)}
    state = {
        "trouble": "",
        "planned": planned,
        "counts": {kind.value: counts[kind] for kind in OutcomeKind} | {NOT_DONE: open_entries},
        "causes": [
            {"cause": cause, "count": count, "example": examples.get(cause, "")}
            for cause, count in causes.most_common()
        ],
        "course": None if course is None else _course(course),
        "events": _events(whole),
        "absent_parts": len(whole.missing),
        "measurements_beyond": beyond,
    }
    return state, cells


def _course(course: Course) -> dict[str, Any]:
    return {
        "begin": course.stretch.begin,
        "end": course.stretch.end,
        "width_s": course.width_s,
        "ended": course.ended,
        "bytes": course.bytes_stored,
        "in_hand": course.in_hand,
    }


def _events(whole: WholeJob) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "at": one.at,
            "name": one.name,
            "part": part,
            "job": one.job,
            "label": f"{one.cell} / {one.measurement}",
            "message": one.message or "",
        }
        for part, store in enumerate(whole.stores())
        for one in last_events(store, 0, PAGE_EVENTS)
    ]
    return sorted(found, key=lambda one: -one["at"])[:PAGE_EVENTS]


def _live(states: Sequence[LiveState], now: float) -> dict[str, Any]:
    """Return what the running processes say of themselves."""
    if not states:
        return {"liveness": "unknown", "live": None, "parts": []}
    together = merged([one.snapshot for one in states])
    return {
        "liveness": _together([one.liveness for one in states]),
        "live": together.as_json() | {"age_s": max(0.0, now - together.at)},
        "parts": [
            {
                "name": one.folder.name,
                "liveness": one.liveness.value,
                "pid": one.snapshot.pid,
                "host": one.snapshot.host,
                "done": one.snapshot.done,
                "planned": one.snapshot.planned,
                "in_hand": one.snapshot.files_in_hand,
                "workers": workers_of(one),
                "limit": one.snapshot.limit.as_json(),
            }
            for one in states
        ],
    }


def workers_of(state: LiveState) -> int | None:
    """Return how many workers a part has."""
    return next(
        (stage.capacity for stage in state.snapshot.stages if stage.name == "prepare"), None
    )


def _together(each: Sequence[Liveness]) -> str:
    """Return how several parts are together: the most alive of them, else the worst."""
    found = Counter(each)
    for one in (Liveness.ALIVE, Liveness.PAUSED, Liveness.DEAD, Liveness.ENDED):
        if found[one]:
            return one.value
    return "unknown"


def shown(value: Any) -> Any:
    """Return values of JSON in which every text prints: names and messages are of others."""
    match value:
        case str():
            return printable(value)
        case Mapping():
            return {printable(str(name)): shown(one) for name, one in value.items()}
        case list() | tuple():
            return [shown(one) for one in value]
        case _:
            return value
