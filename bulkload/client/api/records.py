"""What Studio answers, as records: the fields that matter typed, every other one kept.

A record accepts any field that the server sends, so a newer server breaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from bulkload.client.http.limits import MAX_FINDINGS
from bulkload.core.terms import MeasurementType
from bulkload.core.text import one_line
from bulkload.errors import IonworksError


class Record(BaseModel):
    """A row of Studio."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    #: When Studio last changed the record, as it says it.
    updated_at: str | None = None

    _was_created: bool = PrivateAttr(default=False)

    @property
    def was_created(self) -> bool:
        """True where the call that returned this record made it, False where it was there."""
        return self._was_created

    def marked(self, *, created: bool) -> Self:
        """Note whether the call at hand made this record; return the record itself."""
        self._was_created = created
        return self

    @classmethod
    def parse(cls, answer: object) -> Self:
        """Read an answer of the server; what is not such a record is the server's error."""
        if not isinstance(answer, Mapping):
            raise IonworksError(
                f"the server answered {type(answer).__name__} instead of {cls.__name__}"
            )
        try:
            return cls.model_validate(dict(answer))
        except ValidationError as error:
            faults = (
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
                for one in error.errors(include_url=False, include_input=False)[:MAX_FINDINGS]
            )
            raise IonworksError(
                f"the server's answer is not a valid {cls.__name__}: {one_line('; '.join(faults))}",
                data=dict(answer),
            ) from error


class Project(Record):
    """A project: what specifications belong to."""

    organization_id: str | None = None


class CellSpecification(Record):
    """A cell's blueprint: ratings, components, materials."""

    project_id: str | None = None
    ratings: dict[str, Any] | None = None


class CellBatch(Record):
    """A manufacturing batch of one specification. Names are unique whatever their case."""

    cell_specification_id: str
    project_id: str | None = None
    notes: str | None = None
    #: ``YYYY-MM-DD``.
    date_manufactured: str | None = None
    properties: dict[str, Any] | None = None
    #: Number of cells in the batch.
    instance_count: int = 0


class CellInstance(Record):
    """A physical cell."""

    cell_specification_id: str
    batch_id: str | None = None
    batch_name: str | None = None

    @property
    def batch(self) -> str | None:
        """The name of the cell's batch."""
        older = (self.model_extra or {}).get("batch")
        return self.batch_name or (older if isinstance(older, str) else None)


class CellMeasurement(Record):
    """One test of a cell: a time series, files, or properties."""

    cell_instance_id: str
    measurement_type: MeasurementType = MeasurementType.TIME_SERIES
    channel_id: str | None = None
    protocol_id: str | None = None
    start_time: str | None = None
    #: None while the test runs on: only then can it be extended.
    end_time: str | None = None
    #: ``pending``, ``running``, ``ready`` or ``failed``; absent on old records, which are ready.
    processing_status: str | None = None
    processing_error: str | None = None
    tags: list[str] = Field(default_factory=list)
    test_setup: dict[str, Any] | None = None

    @property
    def reference(self) -> str:
        """How a pipeline names this measurement instead of carrying its rows inline."""
        return f"db:{self.id}"

    @property
    def measurement(self) -> Self:
        """The record itself: answers once held it in a member of this name."""
        return self

    @property
    def is_processing(self) -> bool:
        """Whether the server still has to derive the steps. Words unknown to us mean yes."""
        return self.processing_status not in (None, "ready", "failed")

    @property
    def has_failed(self) -> bool:
        """Whether the server could not process what it stored."""
        return self.processing_status == "failed"

    @property
    def failure_reason(self) -> str | None:
        """Why the server could not process what it stored; None where it has not failed."""
        if not self.has_failed:
            return None
        return self.processing_error or "Studio gave no reason"


class CellMeasurementDetail(CellMeasurement):
    """A measurement with what it holds; what was not asked for is None."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    specification_id: str | None = None
    instance_id: str | None = None
    #: Tables of the client's backend.
    steps: Any = None
    time_series: Any = None
    cycles: Any = None
    #: Of a file measurement, by name.
    files: dict[str, bytes] | None = None


class CellInstanceDetail(BaseModel):
    """A cell with all its measurements and what they hold."""

    instance: CellInstance
    specification_id: str
    measurements: list[CellMeasurementDetail]


class CellMeasurementBundle(CellMeasurement):
    """What confirming an upload answers: the record, and a count of steps.

    ``steps_created`` is what the server counted so far: steps are derived after the answer.
    """

    steps_created: int = 0

    @classmethod
    def parse(cls, answer: object) -> Self:
        """Read a flat answer, or the older one that nests the record in ``measurement``."""
        if isinstance(answer, Mapping):
            nested = answer.get("measurement")
            flat = {key: value for key, value in answer.items() if key != "instance"}
            if "id" not in answer and isinstance(nested, Mapping):
                flat = {**flat, **nested}
                del flat["measurement"]
            answer = flat
        return super().parse(answer)


class RawData(Record):
    """An original file as it was uploaded. It never changes."""

    project_id: str
    filename: str
    source: str | None = None


class TagUsage(BaseModel):
    """A tag of a project, and how many measurements have it."""

    tag: str
    usage_count: int


class UploadTarget(BaseModel):
    """Where one file of an upload goes: a signed URL, and an S3 target where one is offered."""

    model_config = ConfigDict(extra="allow")

    filename: str | None = None
    signed_url: str = Field(repr=False)
    token: str = Field(default="", repr=False)
    path: str = ""
    multipart: dict[str, Any] | None = Field(default=None, repr=False)


class InitiateAnswer(BaseModel):
    """The id that an upload was given, and where its files go. No record exists yet."""

    measurement_id: str
    uploads: list[UploadTarget]

    @classmethod
    def parse(cls, answer: object) -> Self:
        """Read an answer of the server."""
        try:
            return cls.model_validate(answer)
        except ValueError as error:
            raise IonworksError(f"the server's answer offers no upload: {error}") from error

    def targets(self, filenames: Sequence[str]) -> list[UploadTarget]:
        """Return the targets of several files: the server answers in the order it was asked."""
        if len(self.uploads) != len(filenames):
            raise IonworksError(
                f"the server offered {len(self.uploads)} uploads for {len(filenames)} files"
            )
        for upload, filename in zip(self.uploads, filenames, strict=True):
            offered = (upload.filename or filename).rsplit("/", 1)[-1]
            if offered != filename:
                raise IonworksError(f"the server offered an upload of {offered} for {filename}")
        return list(self.uploads)

    def target(self, filename: str) -> UploadTarget:
        """Return the target of one file, by its leaf name."""
        for upload in self.uploads:
            if (upload.filename or "").rsplit("/", 1)[-1] == filename:
                return upload
        offered = ", ".join(str(upload.filename) for upload in self.uploads) or "none"
        raise IonworksError(f"the server offered no upload for {filename} (it offered: {offered})")
