"""One request on its way through the API: what a handler may use, and how it answers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from bulkload.localstudio.datetimes import now_text
from bulkload.localstudio.error_answers import (
    DuplicateNameError,
    InvalidBodyError,
    not_found,
)
from bulkload.localstudio.store import NameTakenError, StoredRecord, Upload

if TYPE_CHECKING:
    from bulkload.localstudio.studio import StudioState

JSON_HEADERS: Final = {"Content-Type": "application/json"}

#: Resources whose name is unique within their parent, with whether case alone can distinguish.
CASE_BLIND_KINDS: Final = frozenset({"cell_batch"})


@dataclass(slots=True)
class Call:
    """A request whose key and body were accepted."""

    studio: StudioState
    request: web.Request
    body: Any = field(default_factory=dict)

    def id(self, name: str) -> str:
        """Return a variable part of the path."""
        return self.request.match_info[name]

    @property
    def fields(self) -> dict[str, Any]:
        """Return the body, which must be an object."""
        if not isinstance(self.body, dict):
            raise InvalidBodyError("body", "Input should be an object", self.body)
        return self.body

    def record(self, kind: str, record_id: str) -> StoredRecord:
        """Return a record, or refuse with 404."""
        found = self.studio.store.get(kind, record_id)
        if found is None or self.studio.faults.hides(record_id):
            raise not_found(kind, record_id)
        return found

    def upload(self, kind: str, upload_id: str) -> Upload | None:
        """Return an open upload that is within its life."""
        oldest = time.time() - self.studio.settings.upload_lifetime_s
        return self.studio.store.upload(kind, upload_id, oldest)

    def create(
        self,
        kind: str,
        scope: str,
        project: str,
        name: str,
        body: Mapping[str, Any],
        *,
        record_id: str | None = None,
        unique: bool = True,
        key: str | None = None,
        ref: str | None = None,
        start_time: str | None = None,
        status: str | None = None,
    ) -> StoredRecord:
        """Add a record, or refuse with 409 where its name is taken."""
        now = now_text()
        record = StoredRecord(
            id=record_id or str(uuid.uuid4()),
            kind=kind,
            scope=scope,
            project=project,
            name=name,
            name_key=key or (self.name_key(kind, name) if unique else None),
            ref=ref,
            start_time=start_time,
            status=status,
            error=None,
            created_at=now,
            updated_at=now,
            body=json.dumps(body),
        )
        try:
            self.studio.store.insert(record)
        except NameTakenError as error:
            raise DuplicateNameError(kind, name, error.existing_id) from error
        return record

    def save(self, record: StoredRecord, **changes: Any) -> StoredRecord:
        """Write a changed record back, or refuse with 409 where its new name is taken."""
        if "name" in changes and record.name_key is not None:
            changes["name_key"] = self.name_key(record.kind, changes["name"])
        changed = record._replace(updated_at=now_text(), **changes)
        try:
            self.studio.store.update(changed)
        except NameTakenError as error:
            raise DuplicateNameError(record.kind, changed.name, error.existing_id) from error
        return changed

    def name_key(self, kind: str, name: str) -> str:
        """Return the name as uniqueness compares it."""
        if kind in CASE_BLIND_KINDS or not self.studio.settings.names_case_sensitive:
            return name.casefold()
        return name

    def name(self, fields: Mapping[str, Any], limit: int | None = None) -> str:
        """Return the name in a body, or refuse with 422."""
        name = fields.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidBodyError("name", "Input should be a non-empty string", name)
        longest = self.studio.settings.name_max_length if limit is None else limit
        if longest is not None and len(name) > longest:
            raise InvalidBodyError(
                "name", f"String should have at most {longest} characters", len(name)
            )
        return name


def answer(data: Any, status: int = 200) -> web.Response:
    """Return a JSON answer. The content type has no charset: the official client insists."""
    return web.Response(status=status, body=json.dumps(data).encode(), headers=JSON_HEADERS)


def no_content() -> web.Response:
    """Return the answer to a delete."""
    return web.Response(status=204)
