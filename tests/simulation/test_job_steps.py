"""The steps of a job that a whole run meets too seldom to be shown there, on stand-ins."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from bulkload.client.api.records import CellMeasurement
from bulkload.core.existing import Existing, FoundRecord, StoredSource
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    GaveUp,
    JobState,
    ProcessingReady,
    Restarted,
    SourceRejected,
    Step,
    advance,
)
from bulkload.core.plan_items import UploadJob
from bulkload.core.prepare_result import Prepared, SourceStamp
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.engine.job_steps import JobSteps, failure_event
from bulkload.engine.jobs import JobContext, prepared_event
from bulkload.errors import (
    AuthenticationError,
    BulkloadError,
    ConflictError,
    DiskError,
    MeasurementProcessingError,
    PermissionDeniedError,
    UnavailableError,
)

OF_IT = "run.csv: s / c / m"
PREPARED = Prepared(
    rows=5,
    columns=("Time [s]",),
    size_bytes=10,
    sha256="spooled",
    content_digest="now",
    source=SourceStamp(size_bytes=3, mtime_ns=4, sha256="source"),
    is_longer=True,
)
#: What Studio holds of an earlier source.
STORED = StoredSource(measurement_id="m1", rows=4, content_digest="before", stamp=(1, 2))


def context(state: JobState = JobState.PREPARED, **changes: Any) -> JobContext:
    job = UploadJob(key=JobKey("s", "c", "m"), path="run.csv")
    return replace(
        JobContext(
            id=1,
            job=job,
            state=state,
            known_ids=frozenset({"m1"}),
            stored=None,
            instance_id="cell",
            measurement_id=None,
            source_sha256=None,
            raw_data_id=None,
            has_attempted_extension=False,
            prepared=PREPARED,
        ),
        **changes,
    )


def record(status: str = "ready") -> CellMeasurement:
    return CellMeasurement(
        id="m1", name="m", cell_instance_id="cell", processing_status=status, updated_at="t"
    )


@dataclass
class World:
    """Stands in for what steps act through; notes the events and the acts."""

    #: What an upload and an extension raise or return.
    sends: CellMeasurement | Exception = field(default_factory=record)
    #: What a 409 is found to be about, and whether over the name.
    conflict: tuple[FoundRecord | None, bool] = (None, False)
    #: How the record read back differs.
    differs: str = ""
    attaches: bool = False
    existing: Existing = Existing.REUSE
    events: list[Event] = field(default_factory=list)
    acts: list[object] = field(default_factory=list)

    def run(self, of: JobContext) -> Step:
        """Carry out the steps of a job."""
        me: Any = self
        steps = JobSteps(
            me,
            records=me,
            uploader=me,
            raw_files=me if self.attaches else None,
            existing=self.existing,
        )
        return anyio.run(steps.run, of)

    async def record(self, of: JobContext, event: Event) -> None:
        """Stand in for the recorder."""
        of.state = advance(of.state, event)
        of.has_given_up |= isinstance(event, GaveUp)
        self.events.append(event)

    async def upload(self, of: JobContext) -> CellMeasurement:
        """Stand in for the uploader."""
        self.acts.append(("upload", of.name))
        if isinstance(self.sends, Exception):
            raise self.sends
        return self.sends

    async def extend(self, of: JobContext, measurement_id: str) -> None:
        """Stand in for the uploader."""
        self.acts.append(("extend", of.name, measurement_id))
        if isinstance(self.sends, Exception):
            raise self.sends

    async def of_conflict(
        self, of: JobContext, error: ConflictError
    ) -> tuple[FoundRecord | None, bool]:
        """Stand in for the records of Studio."""
        self.acts.append(("conflict", of.name, error))
        return self.conflict

    async def difference(self, of: JobContext, measurement_id: str) -> str:
        """Stand in for the records of Studio."""
        self.acts.append(("compare", of.name, measurement_id))
        return self.differs

    async def delete(self, measurement_id: str) -> None:
        """Stand in for the records of Studio."""
        self.acts.append(("delete", measurement_id))
        self.sends = record()

    async def attach(self, of: JobContext) -> None:
        """Stand in for the original files."""
        self.acts.append(("attach", of.name))
        of.raw_data_id = "raw"


def test_an_upload_waits_for_what_studio_has_to_process() -> None:
    world = World(sends=record("running"))
    assert world.run(context()) is Step.WAIT
    assert world.events == [Confirmed(measurement_id="m1")]


def test_what_studio_need_not_process_ends_at_once() -> None:
    world = World()
    assert world.run(context()) is Step.END
    assert world.events == [Confirmed(measurement_id="m1"), ProcessingReady(ready_updated_at="t")]
    assert world.acts == [("upload", "m")]


def test_a_record_that_was_confirmed_as_failed_is_left_to_the_poller() -> None:
    world = World(sends=record("failed"))
    assert world.run(context()) is Step.WAIT
    assert world.events == [Confirmed(measurement_id="m1")]


def test_the_original_file_is_attached_before_its_measurement_ends() -> None:
    world = World(attaches=True)
    assert world.run(context()) is Step.WAIT
    assert world.events == [Confirmed(measurement_id="m1")]
    assert world.acts == [("upload", "m"), ("attach", "m")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("of no number"), "of no number"),
    ],
)
def test_a_file_that_fails_on_this_machine_costs_its_job_alone(error: OSError, said: str) -> None:
    world = World(sends=error)
    assert world.run(context()) is Step.END
    assert world.events == [
        Failed(
            cause="unreadable_file",
            message=f"{OF_IT} was not delivered: a file on this machine: {said}",
        )
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            UnavailableError("busy", 503),
            GaveUp(cause="unavailable", message=f"{OF_IT} was not delivered: HTTP 503: busy"),
        ),
        (
            PermissionDeniedError("not yours", 403),
            Failed(cause="permission", message=f"{OF_IT} was not delivered: HTTP 403: not yours"),
        ),
    ],
)
def test_a_failed_act_is_resumable_where_it_is_transient(error: Exception, expected: Event) -> None:
    world = World(sends=error)
    assert world.run(context()) is Step.END
    assert world.events == [expected]


@pytest.mark.parametrize("error", [DiskError("full"), AuthenticationError("no such key", 401)])
@pytest.mark.parametrize("found", [None, FoundRecord(id="m1", is_open=True)])
def test_what_ends_the_run_is_no_event_of_a_job(
    error: BulkloadError, found: FoundRecord | None
) -> None:
    world = World(sends=error, differs="it differs")
    with pytest.raises(type(error)):
        world.run(context(found=found, stored=STORED))
    assert world.events == ([] if found is None else [Attempting(act=Act.EXTEND)])


def test_a_measurement_that_studio_could_not_process_failed_for_that() -> None:
    error = MeasurementProcessingError("no rows", {"m1": "no rows"})
    assert failure_event(context(), error) == Failed(
        cause="processing_failed", message=f"{OF_IT} was not delivered: measurement m1: no rows"
    )


# -- A 409 ------------------------------------------------------------------------------------

TAKEN = ConflictError("taken", 409)


def test_a_second_409_is_not_resolved_again() -> None:
    """The record of the first one was deleted, and the name is still not free."""

    class StillTaken(World):
        async def delete(self, measurement_id: str) -> None:
            self.acts.append(("delete", measurement_id))

    world = StillTaken(sends=TAKEN, conflict=(FoundRecord(id="m1", has_failed=True), True))
    assert world.run(context()) is Step.END
    assert world.acts == [
        ("upload", "m"),
        ("conflict", "m", TAKEN),
        ("delete", "m1"),
        ("upload", "m"),
    ]
    assert world.events[-1] == Failed(
        cause="conflict", message=f"{OF_IT} was not delivered: HTTP 409: taken"
    )


def test_a_409_over_a_parent_is_not_resolved() -> None:
    world = World(sends=TAKEN)
    assert world.run(context(instance_id=None)) is Step.END
    assert world.acts == [("upload", "m")]
    assert world.events == [
        Failed(cause="conflict", message=f"{OF_IT} was not delivered: HTTP 409: taken")
    ]


def test_our_own_failed_record_is_deleted_and_what_is_prepared_is_sent_again() -> None:
    world = World(sends=TAKEN, conflict=(FoundRecord(id="m1", has_failed=True), True))
    assert world.run(context()) is Step.END
    assert world.acts == [
        ("upload", "m"),
        ("conflict", "m", TAKEN),
        ("delete", "m1"),
        ("upload", "m"),
    ]
    assert world.events == [
        Attempting(act=Act.WITHDRAW),
        Restarted(reason="withdrawn"),
        prepared_event(PREPARED),
        Confirmed(measurement_id="m1"),
        ProcessingReady(ready_updated_at="t"),
    ]


def test_our_own_record_of_an_earlier_attempt_is_compared() -> None:
    """A confirm of an earlier run came through late: nothing says what was stored then."""
    world = World(sends=TAKEN, conflict=(FoundRecord(id="m1", is_processing=True), True))
    assert world.run(context()) is Step.WAIT
    assert world.acts[-1] == ("compare", "m", "m1")
    assert world.events == [Confirmed(measurement_id="m1")]


def test_our_own_record_of_an_earlier_attempt_that_differs_is_left() -> None:
    world = World(sends=TAKEN, conflict=(FoundRecord(id="m1"), True), differs="it has 4 rows")
    assert world.run(context()) is Step.END
    assert world.events == [
        Failed(
            cause="source_changed",
            message=f"{OF_IT}: the source changed since it was uploaded as m1, and it has 4 rows; "
            "Studio keeps a measurement as it is: upload it under another name, or delete the old "
            "one",
        )
    ]


# -- A source that has grown --------------------------------------------------------------------

OPEN = FoundRecord(id="m1", is_open=True)
EXTENDING = Attempting(act=Act.EXTEND)


@pytest.mark.parametrize("answer", [record(), TAKEN, PermissionDeniedError("it is complete", 403)])
def test_an_extension_that_is_there_was_made_whatever_the_answer(
    answer: CellMeasurement | Exception,
) -> None:
    world = World(sends=answer)
    assert world.run(context(found=OPEN, stored=STORED)) is Step.WAIT
    assert world.events == [EXTENDING, Extended(measurement_id="m1")]
    compared = [("compare", "m", "m1")] if isinstance(answer, Exception) else []
    assert world.acts == [("extend", "m", "m1"), *compared]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            TAKEN,
            GaveUp(
                cause="extension_held",
                message=f"{OF_IT} was not delivered: another extension of this measurement is "
                "open: HTTP 409: taken; run again later",
            ),
        ),
        (
            PermissionDeniedError("not yours", 403),
            Failed(cause="permission", message=f"{OF_IT} was not delivered: HTTP 403: not yours"),
        ),
    ],
)
def test_an_extension_that_was_not_made_failed(error: Exception, expected: Event) -> None:
    world = World(sends=error, differs="it has 4 rows")
    assert world.run(context(found=OPEN, stored=STORED)) is Step.END
    assert world.events == [EXTENDING, expected]


# -- A name that was taken since the plan was written -------------------------------------------


def test_a_source_that_is_gone_is_rejected_all_the_same(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.csv")
    job = UploadJob(key=JobKey("s", "c", "m"), path=path, expects_new=True)
    of = context(JobState.PLANNED, job=job, found=FoundRecord(id="theirs"), prepared=None)
    world = World()
    assert world.run(of) is Step.END
    assert world.events == [
        SourceRejected(
            cause="name_taken_since",
            message=f"{path}: s / c / m: when the plan was written, Studio had no measurement of "
            "this name, and now it has theirs; plan again, or take it as it is with --accept-drift",
            source_bytes=0,
            source_mtime_ns=0,
        )
    ]


def test_another_type_under_the_name_is_another_measurement() -> None:
    found = FoundRecord(id="theirs", type=MeasurementType.FILE)
    world = World()
    assert world.run(context(found=found)) is Step.END
    assert world.events == [
        Failed(
            cause="name_taken",
            message=f"{OF_IT}: Studio has a file measurement of this name (theirs), and this one "
            "is time_series; use another name",
        )
    ]
