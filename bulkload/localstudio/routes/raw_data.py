"""Raw files: upload, read, link to the measurements they feed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import condition, page
from bulkload.localstudio.objects import object_key
from bulkload.localstudio.routes.uploads import require_objects, upload_target
from bulkload.localstudio.store import Upload
from bulkload.localstudio.views import raw_data_view

#: Key of the stored bytes within a raw file's record.
_LEAF: Final = "raw"
_PATCHABLE: Final[tuple[str, ...]] = ("source", "metadata")
#: Facts that confirm must repeat as initiate was given it.
_AGREED: Final = ("project_id", "name", "filename", "content_type", "metadata", "source")


async def _initiate(call: Call) -> web.Response:
    fields = call.fields
    project = call.record("project", str(fields.get("project_id")))
    call.name(fields)
    if not isinstance(fields.get("filename"), str):
        raise InvalidBodyError("filename", "Input should be a string", fields.get("filename"))
    upload = Upload(
        id=str(uuid.uuid4()),
        kind="raw_data",
        scope=project.id,
        name_key=None,
        created_at=time.time(),
        body=json.dumps(_agreed(fields)),
    )
    call.studio.store.open_upload(upload)
    target = upload_target(call, upload.id, fields["filename"], object_key(upload.id, _LEAF))
    return answer({"raw_data_id": upload.id, "uploads": [target]})


async def _confirm(call: Call) -> web.Response:
    raw_id = call.id("raw")
    fields = call.fields
    upload = call.upload("raw_data", raw_id)
    if upload is None:
        raise ErrorAnswer(404, f"no open raw data upload with id {raw_id}")
    if _agreed(fields) != upload.fields:
        raise ErrorAnswer(400, "confirm-upload does not agree with initiate-upload")
    key = object_key(raw_id, _LEAF)
    await require_objects(call, [key])
    size = fields.get("size_bytes")
    stored = call.studio.objects.path(key)
    if size is not None and stored.exists() and stored.stat().st_size != size:
        raise ErrorAnswer(400, f"size_bytes is {size}, {stored.stat().st_size} bytes were stored")
    body = {k: v for k, v in _agreed(fields).items() if k not in {"project_id", "name"}}
    with call.studio.store.transaction():
        record = call.create(
            "raw_data",
            upload.scope,
            upload.scope,
            call.name(fields),
            {**body, "size_bytes": size},
            record_id=raw_id,
            unique=call.studio.settings.raw_names_unique,
        )
        call.studio.store.close_upload("raw_data", raw_id)
    return answer(raw_data_view(call.studio, record), call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    query = call.request.query
    if "project_id" not in query:
        raise InvalidBodyError("project_id", "Field required")
    wanted = condition("raw_data", project=query["project_id"])
    return page(call, wanted, partial(raw_data_view, call.studio))


async def _get(call: Call) -> web.Response:
    return answer(raw_data_view(call.studio, call.record("raw_data", call.id("raw"))))


async def _update(call: Call) -> web.Response:
    record = call.record("raw_data", call.id("raw"))
    fields = call.fields
    body = {**record.fields, **{key: fields[key] for key in _PATCHABLE if key in fields}}
    name = call.name({"name": record.name, **fields})
    return answer(raw_data_view(call.studio, call.save(record, name=name, body=json.dumps(body))))


async def _delete(call: Call) -> web.Response:
    call.studio.delete_tree(call.record("raw_data", call.id("raw")).id)
    return no_content()


async def _download_url(call: Call) -> web.Response:
    record = call.record("raw_data", call.id("raw"))
    key = object_key(record.id, _LEAF)
    return answer({"url": call.studio.signed_url("GET", key, record.fields["filename"])})


async def _measurements(call: Call) -> web.Response:
    record = call.record("raw_data", call.id("raw"))
    ids = call.studio.store.linked_measurements(record.id)
    return answer({"items": ids, "count": len(ids), "total": len(ids)})


async def _link(call: Call) -> web.Response:
    measurement = call.record("cell_measurement", call.id("measurement"))
    ids = call.fields.get("raw_data_ids")
    if not isinstance(ids, list) or not ids:
        raise InvalidBodyError("raw_data_ids", "Input should be a list of ids", ids)
    for raw_id in ids:
        if call.record("raw_data", str(raw_id)).project != measurement.project:
            raise ErrorAnswer(400, f"raw data {raw_id} belongs to another project")
    call.studio.store.link(measurement.id, ids)
    return no_content()


async def _unlink(call: Call) -> web.Response:
    measurement = call.record("cell_measurement", call.id("measurement"))
    call.studio.store.unlink(measurement.id, call.record("raw_data", call.id("raw")).id)
    return no_content()


async def _list_of_measurement(call: Call) -> web.Response:
    measurement = call.record("cell_measurement", call.id("measurement"))
    wanted = condition("raw_data", project=measurement.project)
    wanted.add("id IN (SELECT raw FROM link WHERE measurement = ?)", measurement.id)
    return page(call, wanted, partial(raw_data_view, call.studio))


def _agreed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fields[key] for key in _AGREED if key in fields}


_ONE: Final = "/raw_data/{raw}"
_OF_MEASUREMENT: Final = "/cell_measurements/{measurement}/raw_data"

ENDPOINTS: Final = (
    Endpoint("raw.initiate", "POST", "/raw_data/initiate-upload", _initiate),
    Endpoint("raw.confirm", "POST", f"{_ONE}/confirm-upload", _confirm),
    Endpoint("raw.list", "GET", "/raw_data", _list),
    Endpoint("raw.get", "GET", _ONE, _get),
    Endpoint("raw.update", "PATCH", _ONE, _update),
    Endpoint("raw.delete", "DELETE", _ONE, _delete),
    Endpoint("raw.download_url", "GET", f"{_ONE}/download-url", _download_url),
    Endpoint("raw.measurements", "GET", f"{_ONE}/cell_measurements", _measurements),
    Endpoint("raw.link", "POST", _OF_MEASUREMENT, _link),
    Endpoint("raw.list_of_measurement", "GET", _OF_MEASUREMENT, _list_of_measurement),
    Endpoint("raw.unlink", "DELETE", f"{_OF_MEASUREMENT}/{{raw}}", _unlink),
)
