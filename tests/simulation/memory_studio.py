"""A Studio in memory: the upload's part of the contract, as a function of request and time.

No socket, no thread, no disk and no clock of its own: whoever simulates says when a request
arrives, and what becomes of its answer. `tests/simulation` holds it against the local Studio.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa

from bulkload.client.http.wire import Answer, Request
from tests.simulation.memory_additions import (
    EXTENSION,
    TIME_SERIES,
    Additions,
    error,
    ok,
    parquet,
)

#: Prefix of the id of a record that another client made while the engine ran.
RIVAL: Final = "rival-"
#: Content of a record that another client made.
ANOTHER_CLIENTS: Final = parquet(pa.table({"Time [s]": [0.0], "Voltage [V]": [3.0]}))
STORE_HOST: Final = "store.invalid"
_FILES: Final = (TIME_SERIES, "steps.parquet")
_KINDS: Final = {
    "cell_specifications": "cell_specification",
    "cell_instances": "cell_instance",
    "cell_measurements": "cell_measurement",
    "cell_batches": "cell_batch",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioRules:
    """How this Studio answers what the contract leaves open."""

    #: Seconds that processing a measurement takes, and how many are processed at a time.
    processing_s: float = 1.0
    processing_slots: int | None = None
    #: Seconds in which a new record is invisible to reads.
    gap_s: float = 0.0
    #: Life of a signed URL in seconds.
    url_lifetime_s: float = 3600.0
    #: Seconds for which an upload that was begun and not confirmed keeps its name.
    upload_keeps_name_s: float = 0.0
    finds_duplicate_at_initiate: bool = True
    names_existing_id: bool = True
    #: Seconds for which an extension that was begun and not confirmed is in the way of another.
    extension_keeps_open_s: float = 0.0
    #: A second confirm gives the record again, or a 409.
    confirms_twice: bool = False
    #: Measurements by name whose processing fails, and those whose processing never ends.
    fails_processing: frozenset[str] = frozenset()
    never_ends_processing: frozenset[str] = frozenset()
    #: Measurements by name whose extensions fail; the record stays ready as it was.
    fails_extending: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class MemoryRecord:
    """A specification, an instance or a measurement."""

    id: str
    kind: str
    parent: str
    name: str
    body: dict[str, Any]
    created_at: float
    updated_at: float
    #: When processing ends, None where there is nothing to process.
    ends_at: float | None = None


@dataclass(slots=True)
class MemoryStudio:
    """All records, open uploads and stored objects."""

    rules: StudioRules
    now: Callable[[], float]
    records: dict[str, MemoryRecord] = field(default_factory=dict)
    #: Measurement id -> instance and name of an upload that is not confirmed.
    uploads: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Object key -> its bytes.
    objects: dict[str, bytes] = field(default_factory=dict)
    #: Instance and name of a measurement -> when an upload of it was begun last.
    _begun: dict[tuple[str, str], float] = field(default_factory=dict)
    #: When each place for processing is free.
    _slots: list[float] = field(default_factory=list)
    _count: int = 0
    additions: Additions = field(init=False)

    def __post_init__(self) -> None:
        self.additions = Additions(self.objects, self._offer)

    def answer(self, request: Request) -> Answer:
        """Carry out a request and return the answer to it."""
        self.process()
        parts = [unquote(part) for part in request.path.split("/")[1:]]
        query = {key: values[-1] for key, values in parse_qs(request.query[1:]).items()}
        body = json.loads(request.content) if request.content else {}
        match (request.method, parts):
            case ("GET", ["cell_specifications"]):
                return self._list("cell_specification", "", query)
            case ("POST", ["cell_specifications"]):
                return self._create("cell_specification", "", body)
            case ("GET", [("cell_specifications" | "cell_instances") as room, parent, below]):
                return self._under(room, parent) or self._list(_KINDS[below], parent, query)
            case ("POST", ["cell_specifications", parent, "cell_instances"]):
                missing = self._under("cell_specifications", parent)
                return missing or self._create("cell_instance", parent, body)
            case ("POST", ["cell_instances", parent, "cell_measurements", "initiate-upload"]):
                missing = self._under("cell_instances", parent)
                return missing or self._initiate(parent, body["measurement"]["name"])
            case ("POST", ["cell_measurements", upload, "confirm-upload"]):
                return self._confirm(upload, body)
            case ("GET", ["cell_measurements", one, "time_series", "download"]):
                return self._redirect(one)
            case ("GET", [room, one]) if room in _KINDS:
                return self._get(one)
            case ("DELETE", [room, one]) if room in _KINDS:
                return self._delete(one)
        return self._add_to(request, parts, body)

    def _add_to(self, request: Request, parts: list[str], body: dict[str, Any]) -> Answer:
        """Carry out a request that adds rows or an original file, or asks for the project."""
        additions = self.additions
        match (request.method, parts):
            case ("GET", ["projects", one]):
                return ok(200, {"id": one, "name": one, "organization_id": "organization"})
            case ("POST", ["cell_measurements", one, "initiate-extend"]):
                return self._cannot_extend(one) or self._initiate_extension(one)
            case ("POST", ["cell_measurements", one, "confirm-extend"]):
                return self._cannot_extend(one) or self._confirm_extension(one)
            case ("POST", ["raw_data", "initiate-upload"]):
                return additions.initiate_raw(self._new_id("raw"), body)
            case ("POST", ["raw_data", raw, "confirm-upload"]):
                return additions.confirm_raw(raw, body)
            case ("GET", ["raw_data", raw]):
                return additions.get_raw(raw)
            case ("PATCH", ["cell_measurements", one]):
                return self._under("cell_measurements", one) or self._update(one, body)
            case ("POST", ["cell_measurements", one, "raw_data"]):
                missing = self._under("cell_measurements", one)
                return missing or additions.link(one, body["raw_data_ids"])
        return error(404, f"no route {request.method} {request.path}")

    def _update(self, one: str, changed: dict[str, Any]) -> Answer:
        record = self.records[one]
        record.body = {**record.body, **changed}
        record.updated_at = self.now()
        return ok(200, self._view(record))

    def process(self) -> None:
        """Append the extensions whose processing has ended by now."""
        for one in sorted(self.additions.claimed):
            record = self.records.get(one)
            if record is None:
                self.additions.claimed.discard(one)
            elif record.ends_at is not None and self.now() >= record.ends_at:
                self.additions.append(one, fails=record.name in self.rules.fails_extending)
                record.updated_at = record.ends_at

    def forestall(self, request: Request) -> None:
        """Make, as another client a moment before, the record that a request is about."""
        body = json.loads(request.content) if request.content else {}
        match request.path.split("/")[1:]:
            case ["cell_specifications"]:
                self._rival("cell_specification", "", body["name"])
            case ["cell_specifications", parent, "cell_instances"]:
                self._rival("cell_instance", parent, body["name"])
            case ["cell_instances", parent, "cell_measurements", "initiate-upload"]:
                self._rival("cell_measurement", parent, body["measurement"]["name"])
            case ["cell_measurements", upload, "confirm-upload"] if upload in self.uploads:
                self._rival("cell_measurement", *self.uploads[upload])

    def begin_elsewhere(self, request: Request) -> None:
        """Begin, as another client that never ends it, the upload that a request wants to begin."""
        name = json.loads(request.content or b"")["measurement"]["name"]
        self._begun[request.path.split("/")[2], name] = self.now()

    def answer_with_namesake(self, request: Request) -> Answer:
        """Refuse an upload with the id of another cell's measurement of the same name."""
        name = json.loads(request.content or b"")["measurement"]["name"]
        cell = request.path.split("/")[2]
        for one in self.measurements():
            if one.name == name and one.parent != cell:
                detail = {"resource_type": one.kind, "resource_name": name, "existing_id": one.id}
                return error(409, f"A {one.kind} named {name!r} already exists", detail)
        return self.answer(request)

    def forget_unfinished(self) -> None:
        """Lose the records that are being processed."""
        for one in self.measurements():
            if self.status(one) == "running":
                del self.records[one.id]

    def _rival(self, kind: str, parent: str, name: str) -> None:
        if self._taken(kind, parent, name) is None:
            body = {"name": name, "ratings": {}}
            record = self._add(kind, parent, body, f"{RIVAL}{self._new_id(kind)}")
            if kind == "cell_measurement":
                self.objects[f"{record.id}/{TIME_SERIES}"] = ANOTHER_CLIENTS

    def store(self, url: str, body: bytes) -> Answer:
        """Take in an object under a signed URL."""
        parts = urlsplit(url)
        if self.now() > float(parse_qs(parts.query)["expires"][0]):
            return error(403, '"exp" claim timestamp check failed')
        self.objects[parts.path[1:]] = body
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Answer(
            status=200,
            headers={"content-type": "application/json", "etag": f'"{digest}"'},
            body=b"{}",
        )

    def fetch(self, url: str) -> bytes | None:
        """Return the object under a signed URL, None where there is none."""
        return self.objects.get(urlsplit(url).path[1:])

    def status(self, record: MemoryRecord) -> str:
        """Return where the processing of a measurement stands."""
        if record.ends_at is None:
            return "ready"
        if record.name in self.rules.never_ends_processing or self.now() < record.ends_at:
            return "running"
        return "failed" if record.name in self.rules.fails_processing else "ready"

    def measurements(self) -> list[MemoryRecord]:
        """Return all measurements, hidden or not."""
        return [one for one in self.records.values() if one.kind == "cell_measurement"]

    def key_of(self, measurement: MemoryRecord) -> tuple[str, str, str]:
        """Return the names by which a measurement is known."""
        instance = self.records[measurement.parent]
        return self.records[instance.parent].name, instance.name, measurement.name

    def _is_visible(self, record: MemoryRecord) -> bool:
        return self.now() >= record.created_at + self.rules.gap_s

    def _under(self, room: str, parent: str) -> Answer | None:
        found = self.records.get(parent)
        if found is None or found.kind != _KINDS[room]:
            return error(404, f"no {_KINDS[room]} {parent}")
        return None

    def _list(self, kind: str, parent: str, query: Mapping[str, str]) -> Answer:
        name = query.get("name", "").removeprefix("eq.")
        found = [
            self._view(one)
            for one in self.records.values()
            if one.kind == kind and one.parent == parent and self._is_visible(one)
            if not name or one.name == name
        ]
        start, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        page = found[start : start + limit]
        return ok(200, {"items": page, "count": len(page), "total": len(found)})

    def _taken(self, kind: str, parent: str, name: str) -> Answer | None:
        for one in self.records.values():
            if (one.kind, one.parent, one.name) == (kind, parent, name):
                known = {"existing_id": one.id} if self.rules.names_existing_id else {}
                detail = {"resource_type": kind, "resource_name": name, **known}
                return error(409, f"A {kind} named {name!r} already exists", detail)
        return None

    def _create(self, kind: str, parent: str, body: dict[str, Any]) -> Answer:
        taken = self._taken(kind, parent, body["name"])
        return taken or ok(201, self._view(self._add(kind, parent, body)))

    def _add(
        self, kind: str, parent: str, body: dict[str, Any], record_id: str | None = None
    ) -> MemoryRecord:
        record = MemoryRecord(
            id=record_id or self._new_id(kind),
            kind=kind,
            parent=parent,
            name=body["name"],
            body=body,
            created_at=self.now(),
            updated_at=self.now(),
        )
        self.records[record.id] = record
        return record

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind.removeprefix('cell_')[0]}-{self._count}"

    def _initiate(self, instance: str, name: str) -> Answer:
        taken = self._taken("cell_measurement", instance, name)
        if taken is not None and self.rules.finds_duplicate_at_initiate:
            return taken
        begun = self._begun.get((instance, name), -math.inf)
        if self.now() < begun + self.rules.upload_keeps_name_s:
            return error(409, f"An upload of {name!r} is open")
        upload = self._new_id("cell_measurement")
        self.uploads[upload] = (instance, name)
        self._begun[instance, name] = self.now()
        return self._offer({"measurement_id": upload}, upload, _FILES)

    def _offer(self, names: dict[str, Any], folder: str, files: tuple[str, ...]) -> Answer:
        expires = self.now() + self.rules.url_lifetime_s
        targets = [
            {
                "filename": file,
                "signed_url": f"http://{STORE_HOST}/{folder}/{file}?expires={expires}",
                "token": "t",
                "path": f"{folder}/{file}",
                "multipart": None,
            }
            for file in files
        ]
        return ok(200, {**names, "uploads": targets})

    def _confirm(self, upload: str, body: dict[str, Any]) -> Answer:
        record = self.records.get(upload)
        if record is not None:
            if self.rules.confirms_twice:
                return ok(200, self._view(record))
            detail = {"existing_id": upload} if self.rules.names_existing_id else None
            return error(409, f"Measurement {record.name!r} already exists", detail)
        if upload not in self.uploads:
            return error(404, f"no upload {upload}")
        instance, name = self.uploads[upload]
        taken = self._taken("cell_measurement", instance, name)
        if taken is not None:
            return taken
        if f"{upload}/{TIME_SERIES}" not in self.objects:
            return error(400, "nothing was stored for this upload")
        record = self._add("cell_measurement", instance, body["measurement"], upload)
        record.ends_at = self._processed_at()
        del self.uploads[upload]
        return ok(201, {**self._view(record), "steps_created": 0})

    def _processed_at(self) -> float:
        """Give the moment at which a measurement that is confirmed now is processed."""
        slots, began = self.rules.processing_slots, self.now()
        if slots is not None:
            if len(self._slots) >= slots:
                began = max(began, heapq.heappop(self._slots))
            heapq.heappush(self._slots, began + self.rules.processing_s)
        return began + self.rules.processing_s

    def _cannot_extend(self, one: str) -> Answer | None:
        missing = self._under("cell_measurements", one)
        if missing is not None:
            return missing
        match self.status(self.records[one]):
            case "running":
                return error(409, "the measurement is still processing")
            case "failed":
                return error(400, "the measurement failed processing: there is nothing to extend")
        return None

    def _initiate_extension(self, one: str) -> Answer:
        begun = self.additions.open.get(one, -math.inf)
        if self.now() < begun + self.rules.extension_keeps_open_s:
            return error(409, "another extend of this measurement is in flight")
        self.additions.open[one] = self.now()
        return self._offer({"measurement_id": one}, one, (EXTENSION,))

    def _confirm_extension(self, one: str) -> Answer:
        additions = self.additions
        if one not in additions.open:
            return error(404, "no extend of this measurement is open")
        if f"{one}/{EXTENSION}" not in self.objects:
            return error(400, "nothing was stored for this extend")
        del additions.open[one]
        additions.claimed.add(one)
        additions.errors.pop(one, None)
        record = self.records[one]
        record.ends_at = self.now() + self.rules.processing_s
        record.updated_at = self.now()
        return ok(200, {**self._view(record), "steps_created": 0})

    def _get(self, one: str) -> Answer:
        record = self.records.get(one)
        if record is None or not self._is_visible(record):
            return error(404, f"no record {one}")
        return ok(200, self._view(record))

    def _delete(self, one: str) -> Answer:
        if self.records.pop(one, None) is None:
            return error(404, f"no record {one}")
        return Answer(status=204, headers={}, body=b"")

    def _redirect(self, one: str) -> Answer:
        if one not in self.records:
            return error(404, f"no record {one}")
        url = f"http://{STORE_HOST}/{one}/{TIME_SERIES}"
        return Answer(status=307, headers={"location": url}, body=b"")

    def _view(self, record: MemoryRecord) -> dict[str, Any]:
        shown = {**record.body, "id": record.id, "updated_at": f"{record.updated_at:.3f}"}
        match record.kind:
            case "cell_specification":
                shown.setdefault("ratings", {})
            case "cell_instance":
                shown["cell_specification_id"] = record.parent
            case "cell_measurement":
                status = self.status(record)
                shown["cell_instance_id"] = record.parent
                shown["measurement_type"] = "time_series"
                shown["processing_status"] = status
                failed = "unreadable" if status == "failed" else None
                shown["processing_error"] = failed or self.additions.errors.get(record.id)
        return shown
