"""Uploading a measurement: initiate, confirm, and the properties that need no upload."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from bulkload.core.terms import MAX_NAME_LENGTH, MeasurementType
from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.error_answers import DuplicateNameError, ErrorAnswer, InvalidBodyError
from bulkload.localstudio.measurement_metadata import checked
from bulkload.localstudio.objects import (
    STEPS_FILE,
    TIME_SERIES_FILE,
    attachment_key,
    object_key,
)
from bulkload.localstudio.s3 import collect
from bulkload.localstudio.store import StoredRecord, Upload
from bulkload.localstudio.views import instance_view, measurement_view

_UPLOADED_TYPES: Final = (MeasurementType.TIME_SERIES, MeasurementType.FILE)


async def _initiate(call: Call) -> web.Response:
    instance = call.record("cell_instance", call.id("instance"))
    fields = call.fields
    measurement = _object(fields, "measurement")
    measurement_type = _type(fields)
    name = call.name(measurement, MAX_NAME_LENGTH)
    filenames = _filenames(call, fields) if measurement_type == MeasurementType.FILE else None
    name_key = call.name_key("cell_measurement", name)
    if call.studio.faults.holds(instance.id, name):
        raise ErrorAnswer(409, f"an upload of measurement {name!r} is still open")
    if call.studio.settings.duplicate_at == "initiate":
        _refuse_duplicate(call, instance.id, name, name_key)
    upload = Upload(
        id=str(uuid.uuid4()),
        kind="cell_measurement",
        scope=instance.id,
        name_key=name_key,
        created_at=time.time(),
        body=json.dumps({"measurement_type": measurement_type, "filenames": filenames}),
    )
    call.studio.store.open_upload(upload)
    if filenames is None:
        targets = [upload_target(call, upload.id, leaf) for leaf in (TIME_SERIES_FILE, STEPS_FILE)]
    else:
        targets = [
            upload_target(call, upload.id, name, attachment_key(upload.id, number))
            for number, name in enumerate(filenames)
        ]
    return answer({"measurement_id": upload.id, "uploads": targets})


def upload_target(
    call: Call, record_id: str, file_name: str, key: str | None = None
) -> dict[str, Any]:
    """Return one entry of an initiate answer: where to put one file."""
    studio = call.studio
    key = object_key(record_id, file_name) if key is None else key
    url = studio.signed_url("PUT", key)
    path = f"{studio.organization_id}/{record_id}/{file_name}"
    multipart = None
    if studio.settings.s3 is not None:
        s3 = studio.settings.s3
        expires = None
        if s3.expires_in_s is not None:
            expires = (datetime.now(UTC) + timedelta(seconds=s3.expires_in_s)).isoformat()
        multipart = {
            "endpoint": s3.endpoint,
            "region": s3.region,
            "bucket": s3.bucket,
            "object_path": key,
            "access_key_id": s3.access_key_id,
            "secret_access_key": s3.secret_access_key,
            "session_token": s3.session_token,
            "expires_at": expires,
        }
    return {
        "filename": file_name,
        "signed_url": url,
        "token": url.rpartition("token=")[2],
        "path": path,
        "multipart": multipart,
    }


async def _confirm(call: Call) -> web.Response:
    studio = call.studio
    measurement_id = call.id("measurement")
    fields = call.fields
    instance = call.record("cell_instance", _text(fields, "cell_instance_id"))
    upload = call.upload("cell_measurement", measurement_id)
    if upload is None or upload.scope != instance.id:
        return _confirmed_before(call, measurement_id, instance)
    measurement_type = _type(fields)
    meta = checked(
        call,
        _object(fields, "measurement"),
        project=instance.project,
        measurement_type=measurement_type,
        measurement_id=measurement_id,
    )
    if studio.settings.changed_name_at_confirm == "refuse":
        _refuse_other_name(call, upload, meta.name)
    body = meta.body
    if measurement_type == MeasurementType.FILE:
        filenames = upload.fields["filenames"] or []
        keys = [attachment_key(measurement_id, number) for number in range(len(filenames))]
        body["file_metadata"] = {**(body.get("file_metadata") or {}), "filenames": filenames}
    else:
        keys = [object_key(measurement_id, TIME_SERIES_FILE)]
    await require_objects(call, keys)
    is_series = measurement_type == MeasurementType.TIME_SERIES
    with studio.store.transaction():
        record = call.create(
            "cell_measurement",
            instance.id,
            instance.project,
            meta.name,
            body,
            record_id=measurement_id,
            ref=meta.channel_id,
            start_time=meta.start_time,
            status="pending" if is_series else "ready",
        )
        studio.store.close_upload("cell_measurement", measurement_id)
    if is_series:
        studio.processing.begin(record)
    return _bundle(call, record, instance, studio.settings.created_status)


async def require_objects(call: Call, keys: Sequence[str]) -> None:
    """Refuse a confirm whose bytes never arrived, unless the settings let it through."""
    await collect(call.studio, keys)
    if call.studio.settings.missing_object == "fail_processing":
        return
    for key in keys:
        if not call.studio.objects.exists(key):
            raise ErrorAnswer(400, f"no file was uploaded for {key}")


async def _create_properties(call: Call) -> web.Response:
    instance = call.record("cell_instance", call.id("instance"))
    fields = call.fields
    if fields.get("measurement_type") != MeasurementType.PROPERTIES:
        given = fields.get("measurement_type")
        raise InvalidBodyError("measurement_type", "Input should be 'properties'", given)
    if not isinstance(fields.get("properties"), dict):
        raise InvalidBodyError("properties", "Input should be an object", fields.get("properties"))
    meta = checked(
        call, fields, project=instance.project, measurement_type=MeasurementType.PROPERTIES
    )
    record = call.create(
        "cell_measurement",
        instance.id,
        instance.project,
        meta.name,
        meta.body,
        start_time=meta.start_time,
        status="ready",
    )
    return answer(measurement_view(call.studio, record), 201)


def _confirmed_before(call: Call, measurement_id: str, instance: StoredRecord) -> web.Response:
    record = call.studio.store.get("cell_measurement", measurement_id)
    if record is None or record.scope != instance.id:
        raise ErrorAnswer(404, f"no open upload with id {measurement_id} for this cell")
    if call.studio.settings.second_confirm == "conflict":
        raise DuplicateNameError("cell_measurement", record.name, record.id)
    return _bundle(call, record, instance, 200)


def _bundle(call: Call, record: StoredRecord, instance: StoredRecord, status: int) -> web.Response:
    view = measurement_view(call.studio, record)
    view["steps_created"] = 0
    view["instance"] = instance_view(call.studio, instance)
    return answer(view, status)


def _refuse_duplicate(call: Call, instance_id: str, name: str, name_key: str) -> None:
    existing = call.studio.store.find("cell_measurement", instance_id, name_key)
    if existing is not None:
        raise DuplicateNameError("cell_measurement", name, existing)


def _refuse_other_name(call: Call, upload: Upload, name: str) -> None:
    if call.name_key("cell_measurement", name) != upload.name_key:
        raise ErrorAnswer(400, "the name differs from the one that initiate-upload was given")


def _filenames(call: Call, fields: Mapping[str, Any]) -> list[str]:
    names = fields.get("filenames")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise InvalidBodyError("filenames", "Input should be a list of at least one name", names)
    if call.studio.settings.equal_filenames == "refuse" and len(set(names)) < len(names):
        raise ErrorAnswer(400, "two files have the same name")
    return names


def _type(fields: Mapping[str, Any]) -> str:
    given = fields.get("measurement_type") or MeasurementType.TIME_SERIES
    if given not in _UPLOADED_TYPES:
        raise InvalidBodyError("measurement_type", "Input should be 'time_series' or 'file'", given)
    return str(given)


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = fields.get(name)
    if not isinstance(given, dict):
        raise InvalidBodyError(name, "Input should be an object", given)
    return given


def _text(fields: Mapping[str, Any], name: str) -> str:
    given = fields.get(name)
    if not isinstance(given, str):
        raise InvalidBodyError(name, "Input should be a string", given)
    return given


_UNDER_INSTANCE: Final = "/cell_instances/{instance}/cell_measurements"

ENDPOINTS: Final = (
    Endpoint("measurement.initiate", "POST", f"{_UNDER_INSTANCE}/initiate-upload", _initiate),
    Endpoint("measurement.create", "POST", f"{_UNDER_INSTANCE}/create", _create_properties),
    Endpoint(
        "measurement.confirm", "POST", "/cell_measurements/{measurement}/confirm-upload", _confirm
    ),
)
