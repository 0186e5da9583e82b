"""What a run tells of itself in numbers, and what `--until` measures by."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from bulkload.core.lifecycle import Found, ProcessingReady, SourcePrepared
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
    planned = SimpleNamespace(path=f"{number}.csv", key=f"S/c/{number}")
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


def test_what_is_found_at_the_end_of_a_wait_counts_as_long() -> None:
    clock = HandClock()
    progress = Progress(clock)
    progress.taken_up(job(1))
    clock.seconds = 40.0
    progress.on_event(job(1), SourcePrepared(**PREPARED))
    progress.on_event(job(1), Found(measurement_id="m"))
    assert progress.longest_delivery_s == 40.0
