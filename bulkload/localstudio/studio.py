"""What every handler shares: settings, records, objects, signer, faults, counts."""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bulkload.localstudio.faults import FaultKind, FaultRule, Faults
from bulkload.localstudio.keys import Keys
from bulkload.localstudio.objects import ObjectStore
from bulkload.localstudio.signing import UrlSigner, Verb
from bulkload.localstudio.store import NameTakenError, RecordStore, StoredRecord
from bulkload.localstudio.studio_settings import RECENT_REQUESTS

if TYPE_CHECKING:
    from bulkload.core.frame import Frame
    from bulkload.localstudio.studio_settings import StudioSettings

from bulkload.localstudio.datetimes import now_text

ORGANIZATION_NAME: Final = "Local organization"
PROJECT_NAME: Final = "Local project"
EMAIL: Final = "local@example.invalid"


class SeenRequest(NamedTuple):
    """One request and its answer. Status 0: the connection was cut instead."""

    endpoint: str
    method: str
    path: str
    status: int


@dataclass(slots=True)
class Requests:
    """What was asked, of API and storage together."""

    by_endpoint: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    #: Bytes that storage took in.
    bytes_stored: int = 0
    #: Storage requests that carried an Ionworks header.
    leaked_headers: int = 0
    recent: deque[SeenRequest] = field(default_factory=lambda: deque(maxlen=RECENT_REQUESTS))

    @property
    def total(self) -> int:
        """Return the number of requests."""
        return self.by_endpoint.total()

    def note(self, seen: SeenRequest) -> None:
        """Count a request."""
        self.by_endpoint[seen.endpoint] += 1
        self.by_status[seen.status] += 1
        self.recent.append(seen)


class Processor(Protocol):
    """What becomes of confirmed measurements, as the routes use it."""

    def begin(self, record: StoredRecord) -> None:
        """Process a measurement whose time series has been confirmed."""

    def begin_extend(self, record: StoredRecord) -> None:
        """Append the confirmed rows of an extension."""

    async def tables(self, record: StoredRecord) -> tuple[Frame | None, Frame | None]:
        """Return the steps and cycles of a processed measurement."""

    async def steps_object(self, record: StoredRecord) -> str:
        """Return the key of the step table."""

    def resume(self) -> None:
        """Take up what was unfinished."""

    async def idle(self) -> None:
        """Wait until nothing is left to process."""

    async def close(self) -> None:
        """Stop."""


class StudioState:
    """One data folder, opened."""

    processing: Processor
    #: Base of the storage URLs, known once its port is.
    storage_url: str = ""

    def __init__(self, settings: StudioSettings) -> None:
        self.settings = settings
        data_dir = Path(settings.data_dir)
        data_dir.mkdir(parents=True, exist_ok=True)
        self.store = RecordStore(data_dir)
        self.keys = Keys.load(data_dir)
        self.objects = ObjectStore(data_dir / "objects")
        self.signer = UrlSigner(self.store.fact("url_secret", secrets.token_hex(32)))
        self.organization_id = self.store.fact("organization_id", _new_id())
        self.user_id = self.store.fact("user_id", _new_id())
        self.email = EMAIL
        self.project_id = self._first_project()
        self.faults = Faults()
        self.requests = Requests()
        if settings.requests_per_s is not None:
            wait = settings.rate_limit_retry_after_s
            limit = FaultRule(
                kind=FaultKind.RATE_LIMIT,
                endpoint="!storage.*",
                per_s=settings.requests_per_s,
                retry_after=None if wait is None else str(wait),
            )
            self.faults.add(limit)

    def close(self) -> None:
        """Let go of the data folder."""
        self.store.close()

    def signed_url(self, verb: Verb, key: str, file_name: str = "") -> str:
        """Mint a URL for one act on one object."""
        expires = int(time.time() + self.settings.url_lifetime_s)
        return self.signer.url(self.storage_url, verb, key, expires, file_name)

    def forget_expired_uploads(self) -> None:
        """Delete uploads that were not confirmed in time, with what arrived for them."""
        before = time.time() - self.settings.upload_lifetime_s
        for upload in self.store.expired_uploads(before):
            self.store.close_upload(upload.kind, upload.id)
            if upload.kind != "extend":
                self.objects.delete_of(upload.id)

    def delete_tree(self, record_id: str) -> None:
        """Delete a record, all below it, and their objects."""
        for gone, kind in self.store.delete_tree(record_id):
            if kind in {"cell_measurement", "raw_data"}:
                self.objects.delete_of(gone)

    def _first_project(self) -> str:
        project_id = self.store.fact("project_id", _new_id())
        now = now_text()
        project = StoredRecord(
            id=project_id,
            kind="project",
            scope=self.organization_id,
            project=project_id,
            name=PROJECT_NAME,
            name_key=PROJECT_NAME,
            ref=None,
            start_time=None,
            status=None,
            error=None,
            created_at=now,
            updated_at=now,
            body="{}",
        )
        if self.store.get("project", project_id) is None:
            try:
                self.store.insert(project)
            except NameTakenError as taken:
                return taken.existing_id
        return project_id


def _new_id() -> str:
    return secrets.token_hex(16)
