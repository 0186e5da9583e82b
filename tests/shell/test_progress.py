"""What a run tells of itself in numbers, and what `--until` measures by."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bulkload.client.http.events import Paused
from bulkload.core.lifecycle import Found, ProcessingReady, SourcePrepared
from bulkload.core.snapshot import StageName
from bulkload.engine.jobs import JobContext
from bulkload.engine.progress import Progress


class HandClock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds

    def now(self) -> datetime:
        """Return the same as a moment."""
        return datetime.fromtimestamp(self.seconds, UTC)

    async def sleep(self, seconds: float) -> None:
        """Put itself forward."""
        self.seconds += seconds


def job(number: int) -> JobContext:
    planned = SimpleNamespace(place=f"{number}.csv", key=f"S/c/{number}")
    return cast(JobContext, SimpleNamespace(id=number, job=planned))


PREPARED: dict[str, Any] = {
    "rows": 1,
    "size_bytes": 1,
    "sha256": "",
    "content_digest": "",
    "source_bytes": 1,
    "source_mtime_ns": 1,
    "source_sha256": "",
}


def test_a_delivery_lasts_from_prepared_to_ended_the_wait_for_a_free_upload_included() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.taken_up(job(1))
    clock.seconds = 100.0  # every upload was busy: what happened is noted only now
    progress.on_event(job(1), SourcePrepared(**PREPARED))
    clock.seconds = 160.0
    progress.on_event(job(1), ProcessingReady())
    assert progress.longest_delivery_s == 160.0


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns a thousand times as often as they do: what can clash will."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_any_thread_may_ask_for_the_state_while_the_run_goes_on() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.plan_is_complete(10_000, prepare=2, api=32, storage=32)
    has_ended = Event()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            while not has_ended.is_set():
                progress.snapshot()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
            errors.append(error)

    threads = [Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        # Each state is a new sample, and each pause is over at the next one.
        clock.seconds += 1.0
        progress.wire.on_wire(
            Paused(service="api", endpoint=f"GET /{number % 7}", seconds=1.0, reason="asked")
        )
        progress.moved(job(number), StageName.PREPARE)
        progress.taken_up(job(number))
        progress.on_event(job(number), SourcePrepared(**PREPARED))
        progress.on_event(job(number), ProcessingReady())
    has_ended.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert progress.snapshot().counts == {"created": 3000}


def test_what_is_found_at_the_end_of_a_wait_counts_as_long() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.taken_up(job(1))
    clock.seconds = 40.0
    progress.on_event(job(1), SourcePrepared(**PREPARED))
    progress.on_event(job(1), Found(measurement_id="m"))
    assert progress.longest_delivery_s == 40.0
