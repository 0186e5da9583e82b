"""What must hold when a scenario has ended, in journal, Studio and account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bulkload.core.lifecycle import Event, JobState
from bulkload.core.tally import RunReport
from bulkload.core.terms import JobKey
from bulkload.engine.run import SPOOL_NAME
from bulkload.journal import FILE_NAME
from bulkload.journal.check import check_journal
from bulkload.journal.codec import event_from_text
from bulkload.journal.database import connect
from bulkload.journal.parts import part_folders
from bulkload.journal.queries import SQL
from tests.simulation.contents import Content
from tests.simulation.memory_additions import RAW, TIME_SERIES
from tests.simulation.memory_studio import RIVAL
from tests.simulation.scenario import Scenario
from tests.simulation.world import World

#: Seconds of an outage from which on the rate of its requests is judged.
LONG_OUTAGE_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Result:
    """Figures of a scenario and what it violated."""

    scenario: Scenario
    violations: list[str] = field(default_factory=list)
    runs: int = 0
    #: Clients that were opened to upload: one a run, or one for each part that a lane ran.
    clients: int = 0
    #: Runs and rollbacks that crashed, and lanes that died alone.
    crashes: int = 0
    lanes_died: int = 0
    exit_codes: list[int | None] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    #: What happened to each measurement, as the journal has it.
    events: dict[JobKey, list[Event]] = field(default_factory=dict)
    #: Most files that one engine prepared at once.
    most_preparing: int = 0
    requests: int = 0
    retries: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    #: When the last run ended.
    ended_s: float = 0.0
    #: When each request left, and its service: for measuring the pace.
    sent: list[tuple[float, str]] = field(default_factory=list)
    #: Every exchange: (seconds, status).
    exchanged: list[tuple[float, str, int | None]] = field(default_factory=list)


class ScenarioJudge:
    """Judge of a scenario that has ended."""

    def __init__(
        self,
        result: Result,
        world: World,
        contents: Mapping[JobKey, Content],
        job_dir: Path,
        *,
        sources: Mapping[JobKey, Path],
        extended: frozenset[JobKey],
    ) -> None:
        """``extended``: measurements that were delivered when their sources grew."""
        self._result = result
        self._scenario = result.scenario
        self._world = world
        self._contents = contents
        self._job_dir = job_dir
        self._sources = sources
        self._extended = extended
        #: What may be missing: it failed, and for the right reason.
        self._failed: set[JobKey] = set()
        #: What another client made in the meantime.
        self._rivals = {
            JobKey(*world.studio.key_of(one))
            for one in world.studio.measurements()
            if one.id.startswith(RIVAL)
        }

    def judge(self, report: RunReport) -> None:
        """Report every violation."""
        self._result.counts = Counter({kind.value: n for kind, n in report.counts.items() if n})
        self._result.causes = Counter(report.causes)
        if not report.adds_up or report.planned != len(self._scenario.jobs):
            self._report(f"{report.counts} do not add up to {len(self._scenario.jobs)}")
        for folder in part_folders(self._job_dir):
            if (folder / SPOOL_NAME).exists():
                self._report("the spool outlives the run")
            for damage in check_journal(folder / FILE_NAME):
                self._report(f"journal: {damage}")
        self._judge_jobs()
        self._world.studio.process()
        self._judge_studio()
        self._judge_outages()
        if self._world.most_spooled and self._world.most_spooled > self._spool_bound():
            self._report(f"{self._world.most_spooled} files in the spool")

    def _report(self, violation: str) -> None:
        self._result.violations.append(violation)

    def _judge_jobs(self) -> None:
        rows: list[Any] = []
        for folder in part_folders(self._job_dir):
            with closing(connect(folder / FILE_NAME, is_read_only=True)) as reader:
                jobs = reader.execute("SELECT * FROM job ORDER BY id").fetchall()
                for job in jobs:
                    key = JobKey(job["spec"], job["cell"], job["measurement"])
                    happened = reader.execute(SQL["events_of"], (job["id"],))
                    self._result.events[key] = [
                        event_from_text(one["name"], one["payload"]) for one in happened
                    ]
                rows += jobs
        if len(rows) != len(self._scenario.jobs):
            self._report(f"{len(rows)} rows for {len(self._scenario.jobs)} jobs")
        for row in rows:
            key = JobKey(row["spec"], row["cell"], row["measurement"])
            expected = self._expected(key)
            found = (row["state"], row["cause"])
            if row["state"] == JobState.FAILED and row["cause"] in self._scenario.may_fail_as:
                self._failed.add(key)
            elif found not in expected:
                self._report(f"{key}: {found} instead of {expected}: {row['message']}")
            if row["state"] == JobState.READY:
                record = self._world.studio.records.get(row["measurement_id"])
                if record is None or self._world.studio.key_of(record) != tuple(key):
                    self._report(f"{key} is reported as created and is not in the Studio")
                elif self._scenario.attaches_raw:
                    self._judge_raw(key, record.id)

    def _expected(self, key: JobKey) -> set[tuple[str, str]]:
        rules = self._scenario.rules
        if key in self._scenario.ends_as:
            return {self._scenario.ends_as[key]}
        if key in self._scenario.there_before or key in self._rivals:
            return {(JobState.EXISTING, "")}
        if key in self._scenario.bad:
            return {(JobState.REJECTED, "unreadable")}
        if key.measurement in rules.never_ends_processing:
            return {(JobState.CONFIRMED, "processing_unfinished")}
        if key in self._extended and key.measurement in rules.fails_extending:
            return {(JobState.FAILED, "processing_failed")}
        if key.measurement in rules.fails_processing:
            return {(JobState.FAILED, "processing_failed")}
        return {(JobState.READY, "")}

    def _judge_studio(self) -> None:
        studio = self._world.studio
        held = Counter(studio.key_of(one) for one in studio.measurements())
        wanted = {tuple(key) for key in self._scenario.jobs if key not in self._scenario.bad}
        wanted |= {tuple(key) for key in self._scenario.there_before}
        wanted -= {tuple(key) for key in self._failed if tuple(key) not in held}
        if set(held) != wanted:
            self._report(
                f"the Studio lacks {wanted - set(held)} and should not hold {set(held) - wanted}"
            )
        parents = Counter(
            (one.kind, one.parent, one.name)
            for one in studio.records.values()
            if one.kind != "cell_measurement"
        )
        for what, count in [*held.items(), *parents.items()]:
            if count > 1:
                self._report(f"{what} is in the Studio {count} times")
        for one in studio.measurements():
            key = JobKey(*studio.key_of(one))
            is_ours = key not in self._scenario.there_before and key not in self._rivals
            if is_ours and not self._intended(key).is_in(studio.objects[f"{one.id}/{TIME_SERIES}"]):
                self._report(f"{key} holds rows other than those intended")

    def _intended(self, key: JobKey) -> Content:
        """Return what the Studio must hold: what it held before, where an extension failed."""
        content = self._contents[key]
        fails = key in self._extended and (
            key in self._failed or key.measurement in self._scenario.rules.fails_extending
        )
        return content.earlier if fails and content.earlier is not None else content

    def _judge_raw(self, key: JobKey, measurement: str) -> None:
        """Require that the source as it is now is linked to its measurement."""
        studio, source = self._world.studio, self._sources[key].read_bytes()
        linked = studio.additions.links.get(measurement, set())
        if source not in [studio.objects[f"{raw}/{RAW}"] for raw in linked]:
            self._report(f"{key}: the original file is not linked to it")

    def _spool_bound(self) -> int:
        """Return how many files may wait in the spool when another one is written."""
        smallest = min(len(one.data) for one in self._contents.values() if not one.is_bad)
        return self._scenario.spool_limit_bytes // smallest + self._scenario.workers

    def _judge_outages(self) -> None:
        for outage in self._scenario.outages:
            length_s = outage.ends_s - outage.begins_s
            if length_s < LONG_OUTAGE_S:
                continue
            sent = sum(outage.begins_s <= at < outage.ends_s for at, _ in self._world.sent)
            # What was open when it began, and the failures by which it is known, once a client
            # and service; from then on probes, of each lane.
            open_then = 2 * self._result.clients * (self._scenario.connections + 6)
            if sent > length_s * self._scenario.lanes + open_then:
                self._report(f"{sent} requests in an outage of {length_s:.0f} s")
