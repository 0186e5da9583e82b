"""What the journal gives back: its rows, typed. The fields of a row are its columns, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkload.core.existing import StoredSource
from bulkload.core.lifecycle import JobState
from bulkload.core.plan_items import UploadJob
from bulkload.core.resume import Known
from bulkload.core.terms import JobKey
from bulkload.journal.codec import job_from_text


class Parent(NamedTuple):
    """A specification, batch or instance that this job folder made."""

    #: ``cell_specification``, ``cell_batch`` or ``cell_instance``.
    kind: str
    id: str
    name: str
    parent_id: str | None
    #: When Studio last changed it: a later change is another user's.
    updated_at: str | None


class Gone(NamedTuple):
    """Measurements that the job brought into Studio and that its plan holds no more."""

    total: int = 0
    #: The first of them.
    names: tuple[str, ...] = ()
    #: Those that were in the plan of the last run that gave an account.
    newly: int = 0


class RunRow(NamedTuple):
    """One invocation of a command on the job folder."""

    id: int
    command: str
    settings_text: str
    #: Seconds since 1970, UTC.
    started_at: float
    ended_at: float | None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Target, checks and prepare options of the run."""
        found: Mapping[str, Any] = json.loads(self.settings_text)
        return found


class JobRow(NamedTuple):
    """One measurement: what the plan states, and what follows from its events."""

    id: int
    spec: str
    cell: str
    measurement: str
    path: str
    payload: str
    plan_run: int
    recipe: str
    state_text: str
    cause: str
    message: str
    has_given_up: int
    instance_id: str | None
    measurement_id: str | None
    rows: int | None
    size_bytes: int | None
    sha256: str | None
    content_digest: str | None
    source_bytes: int | None
    source_mtime_ns: int | None
    stored_id: str | None
    stored_rows: int | None
    stored_digest: str | None
    stored_source_bytes: int | None
    stored_source_mtime_ns: int | None
    is_extending: int
    raw_data_id: str | None
    source_sha256: str | None
    warnings: str
    summary: str | None
    changes: str
    ready_updated_at: str | None

    @property
    def key(self) -> JobKey:
        """The names of the measurement and its parents."""
        return JobKey(self.spec, self.cell, self.measurement)

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return JobState(self.state_text)

    @property
    def job(self) -> UploadJob:
        """The job as the plan states it; ``JournalError`` for a payload that cannot be read."""
        return job_from_text(self.payload)

    @property
    def known(self) -> Known:
        """What decides whether a later run begins the job again."""
        return Known(
            state=self.state,
            cause=self.cause,
            options_digest=self.recipe,
            stamp=_pair(self.source_bytes, self.source_mtime_ns),
            stored_stamp=_pair(self.stored_source_bytes, self.stored_source_mtime_ns),
        )

    @property
    def stored(self) -> StoredSource | None:
        """What Studio's storage holds for this job, None where nothing was stored."""
        stamp = _pair(self.stored_source_bytes, self.stored_source_mtime_ns)
        if self.stored_id is None or self.stored_digest is None or stamp is None:
            return None
        return StoredSource(
            measurement_id=self.stored_id,
            rows=self.stored_rows or 0,
            content_digest=self.stored_digest,
            stamp=stamp,
        )


def _pair(size: int | None, mtime_ns: int | None) -> tuple[int, int] | None:
    return None if size is None or mtime_ns is None else (size, mtime_ns)
