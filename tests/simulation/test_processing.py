"""When Studio is asked whether it has processed what it holds, and what each answer means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import anyio
import pytest

from bulkload.client.api.records import CellMeasurement
from bulkload.core.existing import FoundRecord
from bulkload.core.lifecycle import (
    Event,
    Failed,
    Found,
    GaveUp,
    JobState,
    ProcessingFailed,
    ProcessingReady,
)
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import JobContext
from bulkload.engine.processing import ProcessingPoller
from bulkload.errors import (
    AuthenticationError,
    PermissionDeniedError,
    UnavailableError,
)
from tests.simulation.virtual_clock import VirtualClock, virtual_run

#: When a cell is asked whose measurement arrived at 0 s, written out: half a second, then half
#: as long again each time, and no longer than fifteen seconds.
ASKED_S = (0.5, 1.0, 1.75, 2.875, 4.5625, 7.09375, 10.890625, 16.5859375, 25.12890625)
ASKED_LATER_S = (37.943359375, 52.943359375, 67.943359375, 82.943359375)

Answer = Mapping[str, CellMeasurement | None]
#: Answers a request for ids at a time in seconds, or raises.
Say = Callable[[float, Mapping[str, str]], Answer]


def record(
    name: str, status: str | None = "running", error: str | None = None, updated_at: str = "t"
) -> CellMeasurement:
    return CellMeasurement(
        id=name,
        name=name,
        cell_instance_id="cell",
        processing_status=status,
        processing_error=error,
        updated_at=updated_at,
    )


def context(name: str = "m", cell: str = "cell", *, of_another: bool = False) -> JobContext:
    return JobContext(
        id=1,
        job=UploadJob(key=JobKey("s", cell, name), path="run.csv"),
        state=JobState.PLANNED if of_another else JobState.CONFIRMED,
        known_ids=frozenset(),
        stored=None,
        instance_id=cell,
        measurement_id=None if of_another else name,
        source_sha256=None,
        raw_data_id=None,
        has_attempted_extension=False,
        found=FoundRecord(id=name) if of_another else None,
    )


@dataclass
class Told:
    """What a poller asked, wrote down and gave back, each with the seconds at which it did."""

    say: Say
    #: Seconds that an answer takes.
    latency_s: float = 0.0
    asked: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    events: list[tuple[str, Event]] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    processing_s: list[float] = field(default_factory=list)
    #: How many waited at each request, and in the end.
    waiting: list[int] = field(default_factory=list)
    poller: ProcessingPoller | None = None

    async def processing_states(self, measurements: Mapping[str, str]) -> Answer:
        """Stand in for the client's call."""
        now = anyio.current_time()
        self.asked.append((now, dict(measurements)))
        assert self.poller is not None
        self.waiting.append(self.poller.waiting)
        await anyio.sleep(self.latency_s)
        return self.say(now, measurements)

    async def record(self, of: JobContext, event: Event) -> None:
        """Stand in for the recorder."""
        self.events.append((of.name, event))
        self.ended_s.append(anyio.current_time())

    def processed(self, processing_s: float) -> None:
        """Stand in for the backlog."""
        self.processing_s.append(processing_s)

    @property
    def asked_s(self) -> list[float]:
        """When it asked."""
        return [at for at, _ in self.asked]


def poll(say: Say, *arriving: tuple[float, JobContext], latency_s: float = 0.0) -> Told:
    """Have a poller wait for jobs that arrive at these seconds, until the last has ended."""
    noted = Told(say, latency_s)

    async def main() -> None:
        poller = noted.poller = ProcessingPoller(
            cast("Any", type("Studio", (), {"cell_measurement": noted})),
            cast("Any", noted),
            VirtualClock(),
            cast("Any", noted),
        )
        send, receive = anyio.create_memory_object_stream[JobContext](9)
        async with anyio.create_task_group() as tasks, send:
            tasks.start_soon(poller.run, receive)
            for at, job in arriving:
                await anyio.sleep(max(0.0, at - anyio.current_time()))
                await send.send(job)
        noted.waiting.append(poller.waiting)

    virtual_run(main, socket_grace_s=0.0)
    return noted


def ready_from(at_s: float) -> Say:
    """Return a Studio that has processed everything from that second on."""
    return lambda now, ids: {one: record(one, "ready" if now >= at_s else "running") for one in ids}


READY = ProcessingReady(ready_updated_at="t")


def test_the_wait_between_two_requests_grows_to_fifteen_seconds() -> None:
    noted = poll(ready_from(60.0), (0.0, context()))
    assert noted.asked_s == pytest.approx([*ASKED_S, *ASKED_LATER_S[:3]])
    assert {tuple(ids.items()) for _, ids in noted.asked} == {(("m", "cell"),)}
    assert noted.events == [("m", READY)]
    assert noted.processing_s == pytest.approx([ASKED_LATER_S[2]])
    assert noted.waiting == [*12 * [1], 0]


def test_what_arrives_meanwhile_is_asked_for_soon_together_with_its_cell() -> None:
    noted = poll(ready_from(30.0), (0.0, context("a")), (26.0, context("b")))
    # The wait of the cell begins again: half a second, half, three quarters, and so on.
    after = [26.5, 27.0, 27.75, 28.875, 30.5625]
    assert noted.asked_s == pytest.approx([*ASKED_S, *after])
    assert [list(ids) for _, ids in noted.asked[-6:]] == [["a"], *5 * [["a", "b"]]]
    assert [name for name, _ in noted.events] == ["a", "b"]
    assert noted.processing_s == pytest.approx([30.5625, 4.5625])
    assert noted.waiting == [*9 * [1], *5 * [2], 0]


def test_what_is_due_sooner_than_the_next_arrival_is_not_put_off_by_it() -> None:
    noted = poll(ready_from(1.0), (0.0, context("a")), (0.3, context("b")))
    assert noted.asked_s == pytest.approx([0.5, 1.0])


def test_something_arrives_after_everything_had_ended() -> None:
    noted = poll(ready_from(0.0), (0.0, context("a")), (100.0, context("b")))
    assert noted.asked_s == pytest.approx([0.5, 100.5])
    assert noted.waiting == [1, 1, 0]


def test_each_cell_is_asked_for_by_itself() -> None:
    noted = poll(ready_from(0.0), (0.0, context("a", "cell a")), (0.0, context("b", "cell b")))
    assert [ids for _, ids in noted.asked] == [{"a": "cell a"}, {"b": "cell b"}]


def test_one_of_two_that_is_still_processed_does_not_hold_the_other_up() -> None:
    def say(now: float, ids: Mapping[str, str]) -> Answer:
        states = {"a": "running" if now < 1.0 else "ready", "b": "ready"}
        return {one: record(one, states[one]) for one in ids}

    noted = poll(say, (0.0, context("a")), (0.0, context("b")))
    assert [name for name, _ in noted.events] == ["b", "a"]
    assert noted.processing_s == pytest.approx([0.5, 1.0])


def test_a_record_that_reads_do_not_show_is_gone_after_a_minute() -> None:
    def say(_: float, ids: Mapping[str, str]) -> Answer:
        return {one: None if one == "a" else record(one, "ready") for one in ids}

    noted = poll(say, (0.0, context("a")), (0.0, context("b")))
    lost = Failed(
        cause="record_vanished",
        message="run.csv: s / cell / a was confirmed as a, and Studio no longer has it; run "
        "`bulkload retry` to upload it again",
    )
    assert noted.events == [("b", READY), ("a", lost)]
    assert noted.ended_s == pytest.approx([ASKED_S[0], ASKED_LATER_S[2]])
    assert noted.processing_s == pytest.approx([0.5, ASKED_LATER_S[2]])


def test_an_answer_is_as_old_as_its_request() -> None:
    """Asked at 52 s, answered at 92 s: at 52 s it could still have been invisible."""
    shown_s = 80.0

    def say(now: float, ids: Mapping[str, str]) -> Answer:
        return {one: record(one, "ready") if now >= shown_s else None for one in ids}

    noted = poll(say, (0.0, context()), latency_s=40.0)
    assert noted.asked_s == pytest.approx([0.5, 41.0, 81.75])
    assert noted.events == [("m", READY)]


@pytest.mark.parametrize(
    ("status", "error", "of_another", "expected"),
    [
        ("ready", None, False, READY),
        (None, None, False, READY),
        ("ready", None, True, Found(measurement_id="m")),
        # A failed extension leaves the record ready: ours has not taken the rows.
        (
            "ready",
            "times overlap",
            False,
            ProcessingFailed(
                message="run.csv: s / cell / m was stored, and Studio could not process it: "
                "times overlap"
            ),
        ),
        ("ready", "times overlap", True, Found(measurement_id="m")),
        (
            "failed",
            "no rows",
            False,
            ProcessingFailed(
                message="run.csv: s / cell / m was stored, and Studio could not process it: no rows"
            ),
        ),
        (
            "failed",
            "no rows",
            True,
            Failed(
                cause="existing_failed",
                message="run.csv: s / cell / m was stored, and Studio could not process it: "
                "no rows",
            ),
        ),
    ],
)
def test_how_processing_ends(
    status: str | None, error: str | None, expected: Event, *, of_another: bool
) -> None:
    noted = poll(lambda _, ids: {one: record(one, status, error) for one in ids},
                (0.0, context(of_another=of_another)))  # fmt: skip
    assert noted.events == [("m", expected)]


def unfinished(name: str, reason: str) -> GaveUp:
    return GaveUp(
        cause="processing_unfinished",
        message=f"run.csv: s / cell / {name}: {reason} after 60 minutes; run the same command "
        "again to check",
    )


def test_what_takes_an_hour_is_left_to_the_next_run() -> None:
    noted = poll(ready_from(4000.0), (100.0, context("a")), (1000.0, context("b")))
    assert noted.events == [
        ("a", unfinished("a", "Studio was still processing it")),
        ("b", READY),
    ]
    # At the first answer after the hour: requests are fifteen seconds apart by then.
    assert 3700.0 < noted.ended_s[0] < 3715.0
    assert noted.processing_s[0] == pytest.approx(noted.ended_s[0] - 100.0)
    assert 4000.0 <= noted.ended_s[1] < 4015.0
    assert noted.processing_s[1] == pytest.approx(noted.ended_s[1] - 1000.0)


def test_the_hour_and_the_minute_are_whole() -> None:
    """What arrives half a second before has its cell asked for at the very second."""

    def say(_: float, ids: Mapping[str, str]) -> Answer:
        return {one: record(one, "ready") if one == "b" else None for one in ids}

    noted = poll(say, (0.0, context("a")), (59.5, context("b")))
    assert noted.asked_s[-1] == 60.0
    assert [name for name, _ in noted.events] == ["a", "b"]

    def say_later(now: float, ids: Mapping[str, str]) -> Answer:
        return {one: record(one, "ready" if one == "b" and now > 3600.0 else "running")
                for one in ids}  # fmt: skip

    noted = poll(say_later, (0.0, context("a")), (3599.5, context("b")))
    assert noted.asked_s[-2:] == [3600.0, 3600.5]
    assert [name for name, _ in noted.events] == ["b", "a"]


def test_a_record_that_was_confirmed_is_asked_for_whatever_else_has_its_name() -> None:
    """The listing of its cell holds another client's, and not ours any more."""
    job = replace(context(), found=FoundRecord(id="theirs"))
    noted = poll(ready_from(0.0), (0.0, job))
    assert [ids for _, ids in noted.asked] == [{"m": "cell"}]
    assert noted.events == [("m", READY)]


def test_a_studio_that_does_not_answer_for_an_hour_is_the_reason() -> None:
    def say(now: float, ids: Mapping[str, str]) -> Answer:
        if now < 3700.0:
            raise UnavailableError("HTTP 503: busy")
        return {one: record(one, "ready") for one in ids}

    noted = poll(say, (0.0, context("a")), (1000.0, context("b")))
    assert noted.events == [("a", unfinished("a", "HTTP 503: busy")), ("b", READY)]
    assert 3600.0 < noted.ended_s[0] < 3615.0


def test_a_request_that_is_rejected_fails_its_cell_alone() -> None:
    def say(_: float, ids: Mapping[str, str]) -> Answer:
        if "closed" in ids.values():
            raise PermissionDeniedError("not yours", 403)
        return {one: record(one, "ready") for one in ids}

    noted = poll(
        say,
        (0.0, context("a", "closed")),
        (0.2, context("b", "closed")),
        (0.2, context("c", "open")),
    )
    assert sorted(noted.events, key=lambda one: one[0]) == [
        (
            name,
            Failed(
                cause="permission",
                message=f"run.csv: s / closed / {name} was stored as {name}, and Studio does not "
                "say how its processing ended: HTTP 403: not yours",
            ),
        )
        for name in ("a", "b")
    ] + [("c", READY)]
    assert noted.processing_s == pytest.approx([0.3, 0.5, 0.5])
    assert noted.waiting[-1] == 0


def test_a_key_that_is_not_accepted_ends_the_run() -> None:
    def say(_: float, __: Mapping[str, str]) -> Answer:
        raise AuthenticationError("no such key", 401)

    with pytest.raises(BaseExceptionGroup) as raised:
        poll(say, (0.0, context()))
    assert raised.group_contains(AuthenticationError, match="no such key")
