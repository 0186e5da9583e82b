"""What must hold when a story has ended: journal, Studio and account against what was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkload.core.lifecycle import JobState
from bulkload.core.tally import RunReport
from bulkload.core.terms import JobKey
from bulkload.engine.run import SPOOL_NAME
from bulkload.journal import FILE_NAME, store
from bulkload.journal.check import check_journal
from tests.simulation.engine import Meant
from tests.simulation.memory_studio import RIVAL
from tests.simulation.story import Story
from tests.simulation.world import World

#: Seconds of an outage from which on the rate of its requests is judged.
LONG_OUTAGE_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Telling:
    """How a story went."""

    story: Story
    complaints: list[str] = field(default_factory=list)
    lives: int = 0
    exit_codes: list[int | None] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    #: When the last life ended.
    ended_s: float = 0.0
    #: When each request left, and its service: for whoever looks at the pace.
    sent: list[tuple[float, str]] = field(default_factory=list)
    #: Every exchange: (seconds, status).
    exchanged: list[tuple[float, str, int | None]] = field(default_factory=list)


class ScenarioJudge:
    """Judges a story that has ended."""

    def __init__(
        self, telling: Telling, world: World, meant: Mapping[JobKey, Meant], job_dir: Path
    ) -> None:
        self._telling = telling
        self._story = telling.story
        self._world = world
        self._meant = meant
        self._job_dir = job_dir
        #: What may be missing: it failed, and for the right reason.
        self._failed: set[JobKey] = set()
        #: What somebody else made in the meantime.
        self._rivals = {
            JobKey(*world.studio.key_of(one))
            for one in world.studio.measurements()
            if one.id.startswith(RIVAL)
        }

    def judge(self, report: RunReport) -> None:
        """Note all that is not as it must be."""
        self._telling.counts = Counter({kind.value: n for kind, n in report.counts.items() if n})
        self._telling.causes = Counter(report.causes)
        if not report.adds_up or report.planned != len(self._story.jobs):
            self._complain(f"{report.counts} do not add up to {len(self._story.jobs)}")
        if (self._job_dir / SPOOL_NAME).exists():
            self._complain("the spool outlives the run")
        for fault in check_journal(self._job_dir / FILE_NAME):
            self._complain(f"journal: {fault}")
        self._judge_jobs()
        self._judge_studio()
        self._judge_outages()

    def _complain(self, words: str) -> None:
        self._telling.complaints.append(words)

    def _judge_jobs(self) -> None:
        with closing(store.connect(self._job_dir / FILE_NAME, is_read_only=True)) as reader:
            rows = reader.execute("SELECT * FROM job ORDER BY id").fetchall()
        if len(rows) != len(self._story.jobs):
            self._complain(f"{len(rows)} rows for {len(self._story.jobs)} jobs")
        for row in rows:
            key = JobKey(row["spec"], row["cell"], row["measurement"])
            expected = self._expected(key)
            found = (row["state"], row["cause"])
            if row["state"] == JobState.FAILED and row["cause"] in self._story.may_fail_as:
                self._failed.add(key)
            elif found not in expected:
                self._complain(f"{key}: {found} instead of {expected}: {row['message']}")
            if row["state"] == JobState.READY:
                record = self._world.studio.records.get(row["measurement_id"])
                if record is None or self._world.studio.key_of(record) != tuple(key):
                    self._complain(f"{key} is said to be created, and is not there")

    def _expected(self, key: JobKey) -> set[tuple[str, str]]:
        rules = self._story.rules
        if key in self._story.there_before or key in self._rivals:
            return {(JobState.EXISTING, "")}
        if key in self._story.bad:
            return {(JobState.REJECTED, "unreadable")}
        if key.measurement in rules.never_ends_processing:
            return {(JobState.CONFIRMED, "processing_unfinished")}
        if key.measurement in rules.fails_processing:
            return {(JobState.FAILED, "processing_failed")}
        return {(JobState.READY, "")}

    def _judge_studio(self) -> None:
        studio = self._world.studio
        held = Counter(studio.key_of(one) for one in studio.measurements())
        wanted = {tuple(key) for key in self._story.jobs if key not in self._story.bad}
        wanted |= {tuple(key) for key in self._story.there_before}
        wanted -= {tuple(key) for key in self._failed if tuple(key) not in held}
        if set(held) != wanted:
            self._complain(f"the Studio holds {sorted(set(held) ^ wanted)} wrongly or not")
        parents = Counter(
            (one.kind, one.parent, one.name)
            for one in studio.records.values()
            if one.kind != "cell_measurement"
        )
        for what, count in [*held.items(), *parents.items()]:
            if count > 1:
                self._complain(f"{what} is there {count} times")
        for one in studio.measurements():
            key = JobKey(*studio.key_of(one))
            is_ours = key not in self._story.there_before and key not in self._rivals
            meant = self._meant[key].data if is_ours else None
            if meant is not None and studio.objects[f"{one.id}/time_series.parquet"] != meant:
                self._complain(f"{key} holds other bytes than were meant")

    def _judge_outages(self) -> None:
        for outage in self._story.outages:
            length_s = outage.ends_s - outage.begins_s
            if length_s < LONG_OUTAGE_S:
                continue
            sent = sum(outage.begins_s <= at < outage.ends_s for at, _ in self._world.sent)
            # What was open when it began, and the failures by which it is known, once a life
            # and service; from then on probes.
            open_then = 2 * self._telling.lives * (self._story.connections + 6)
            if sent > length_s + open_then:
                self._complain(f"{sent} requests in an outage of {length_s:.0f} s")
