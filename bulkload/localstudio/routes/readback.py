"""Reading back: time series, steps, cycles and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from bulkload.core.terms import MeasurementType
from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.derived_tables import as_columns
from bulkload.localstudio.error_answers import ErrorAnswer
from bulkload.localstudio.objects import (
    STEPS_FILE,
    TIME_SERIES_FILE,
    attachment_key,
    object_key,
)
from bulkload.localstudio.parquet_objects import UnfitError
from bulkload.localstudio.processing_queue import UNSETTLED
from bulkload.localstudio.store import StoredRecord


async def _time_series(call: Call) -> web.Response:
    record = _series(call)
    return redirect(call, object_key(record.id, TIME_SERIES_FILE), TIME_SERIES_FILE)


async def _steps(call: Call) -> web.Response:
    record = _processed(call)
    with _refusing():
        key = await call.studio.processing.steps_object(record)
    return redirect(call, key, STEPS_FILE)


async def _cycles(call: Call) -> web.Response:
    record = _processed(call)
    with _refusing():
        _, cycles = await call.studio.processing.tables(record)
    return answer({"cycles": as_columns(cycles)})


async def _steps_and_cycles(call: Call) -> web.Response:
    record = _processed(call)
    with _refusing():
        steps, cycles = await call.studio.processing.tables(record)
    return answer({"steps": as_columns(steps), "cycles": as_columns(cycles)})


async def _files(call: Call) -> web.Response:
    return answer({"filenames": _filenames(call)})


async def _file(call: Call) -> web.Response:
    names = _filenames(call)
    name = call.id("name")
    if name not in names:
        raise ErrorAnswer(404, f"the measurement has no file {name!r}")
    return redirect(call, attachment_key(call.id("measurement"), names.index(name)), name)


def redirect(call: Call, key: str, file_name: str) -> web.Response:
    """Answer with a redirect to storage."""
    if not call.studio.objects.exists(key):
        raise ErrorAnswer(404, f"{file_name} is not in storage")
    url = call.studio.signed_url("GET", key, file_name)
    return web.Response(status=call.studio.settings.redirect_status, headers={"Location": url})


def _series(call: Call) -> StoredRecord:
    record = call.record("cell_measurement", call.id("measurement"))
    if record.fields["measurement_type"] != MeasurementType.TIME_SERIES:
        raise ErrorAnswer(400, "the measurement is not a time series")
    return record


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer 404 where steps that were not derived yet turn out to be underivable."""
    try:
        yield
    except UnfitError as unfit:
        raise ErrorAnswer(404, str(unfit)) from unfit


def _processed(call: Call) -> StoredRecord:
    record = _series(call)
    if record.status in UNSETTLED:
        status = call.studio.settings.steps_while_processing_status
        raise ErrorAnswer(status, "the measurement is still processing: it has no steps yet")
    if record.status == "failed":
        raise ErrorAnswer(404, f"the measurement has no steps: {record.error}")
    return record


def _filenames(call: Call) -> list[str]:
    record = call.record("cell_measurement", call.id("measurement"))
    names: list[str] = (record.fields.get("file_metadata") or {}).get("filenames") or []
    return names


_ONE: Final = "/cell_measurements/{measurement}"

ENDPOINTS: Final = (
    Endpoint("measurement.time_series", "GET", f"{_ONE}/time_series/download", _time_series),
    Endpoint("measurement.steps", "GET", f"{_ONE}/steps/download", _steps),
    Endpoint("measurement.cycles", "GET", f"{_ONE}/cycles", _cycles),
    Endpoint("measurement.steps_and_cycles", "GET", f"{_ONE}/steps_and_cycles", _steps_and_cycles),
    Endpoint("measurement.files", "GET", f"{_ONE}/files", _files),
    Endpoint("measurement.file", "GET", f"{_ONE}/files/{{name:.+}}", _file),
)
