"""The same calls, three ways: who is asked, and what its errors are called."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import bulkload.errors
from bulkload.client.sync import Studio
from bulkload.localstudio import LocalStudio


@dataclass(slots=True, kw_only=True)
class Face:
    """A client, the project it works in, and its exceptions."""

    client: Any
    project_id: str
    error: type[Exception]
    invalid: type[Exception]
    unprocessable: type[Exception]
    #: Names of this test's own: the real service keeps what other runs made.
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _made: list[str] = field(default_factory=list)

    def name(self, text: str) -> str:
        """Give a name that nobody else uses."""
        return f"{text} {self.suffix}"

    def spec(self, text: str = "LG M50", **fields: Any) -> Any:
        """Create a specification; it is deleted with all below it after the test."""
        ratings = {
            "capacity": {"value": 0.002, "unit": "A*h"},
            "voltage_min": {"value": 2.5, "unit": "V"},
            "voltage_max": {"value": 4.2, "unit": "V"},
        }
        payload = {"name": self.name(text), "ratings": ratings, **fields}
        spec = self.client.cell_spec.create(payload)
        self._made.append(spec.id)
        return spec

    def cell(self) -> Any:
        """Create a cell under a specification of its own."""
        return self.client.cell_instance.create(self.spec().id, {"name": "cell 1"})

    def clean(self) -> None:
        """Delete what was made."""
        for spec_id in self._made:
            self.client.cell_spec.delete(spec_id)


@contextmanager
def bulkload_face(studio: LocalStudio) -> Iterator[Face]:
    """Ours, on the local Studio."""
    with Studio(studio.api_key, studio.url, studio.project_id) as client:
        yield Face(
            client=client,
            project_id=studio.project_id,
            error=bulkload.errors.IonworksError,
            invalid=bulkload.errors.MeasurementValidationError,
            unprocessable=bulkload.errors.MeasurementProcessingError,
        )


@contextmanager
def official_face(studio: LocalStudio) -> Iterator[Face]:
    """The vendor's, on the local Studio, without its cache on disk."""
    import ionworks

    was_enabled = ionworks.get_cache_enabled()
    ionworks.set_cache_enabled(False)
    # Two seconds between looks are for a service far away.
    patient_s, ionworks.cell_measurement.PROCESSING_POLL_SECONDS = (
        ionworks.cell_measurement.PROCESSING_POLL_SECONDS,
        0.05,
    )
    # The backend is a setting of the whole process: other tests choose another.
    client = ionworks.Ionworks(
        studio.api_key, studio.url, studio.project_id, dataframe_backend="polars"
    )
    try:
        yield Face(
            client=client,
            project_id=studio.project_id,
            error=ionworks.IonworksError,
            invalid=ionworks.MeasurementValidationError,
            unprocessable=ionworks.MeasurementProcessingError,
        )
    finally:
        client.session.close()
        ionworks.set_cache_enabled(was_enabled)
        ionworks.cell_measurement.PROCESSING_POLL_SECONDS = patient_s


@contextmanager
def live_face() -> Iterator[Face]:
    """Ours, on the real service."""
    with Studio() as client:
        assert client.project_id is not None, "set IONWORKS_PROJECT_ID"
        face = Face(
            client=client,
            project_id=client.project_id,
            error=bulkload.errors.IonworksError,
            invalid=bulkload.errors.MeasurementValidationError,
            unprocessable=bulkload.errors.MeasurementProcessingError,
        )
        try:
            yield face
        finally:
            face.clean()


def has_live_key() -> bool:
    """Return whether there is a key for the real service."""
    return bool(os.environ.get("IONWORKS_API_KEY") or os.environ.get("IONWORKS_API_TOKEN"))


LOCAL: dict[str, Callable[[LocalStudio], Any]] = {
    "bulkload": bulkload_face,
    "official": official_face,
}
