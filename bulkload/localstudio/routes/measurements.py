"""Measurement records: read, list, change, delete."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import Condition, condition, page, tag_filters
from bulkload.localstudio.measurement_metadata import checked
from bulkload.localstudio.processing_queue import UNSETTLED
from bulkload.localstudio.studio_settings import PROJECT_PAGE_DEFAULT, PROJECT_PAGE_MAX
from bulkload.localstudio.views import measurement_view

_PATCHABLE: Final = frozenset(
    {
        "name",
        "notes",
        "protocol",
        "test_setup",
        "properties",
        "channel_id",
        "start_time",
        "end_time",
        "protocol_id",
        "tags",
        "step_labels_validated",
    }
)
_SEARCHED: Final = (
    "name LIKE ?",
    "json_extract(body, '$.notes') LIKE ?",
    "json_extract(body, '$.protocol.name') LIKE ?",
    "EXISTS (SELECT 1 FROM json_each(record.body, '$.tags') WHERE value LIKE ?)",
)


async def _list_of_instance(call: Call) -> web.Response:
    instance = call.record("cell_instance", call.id("instance"))
    wanted = condition("cell_measurement", scope=instance.id)
    _measurement_filters(call, wanted)
    return page(call, wanted, partial(measurement_view, call.studio))


async def _list_of_project(call: Call) -> web.Response:
    query = call.request.query
    if "project_id" not in query:
        raise InvalidBodyError("project_id", "Field required")
    wanted = condition("cell_measurement", project=query["project_id"])
    _measurement_filters(call, wanted)
    if query.get("q"):
        wanted.add(f"({' OR '.join(_SEARCHED)})", *[f"%{query['q']}%"] * len(_SEARCHED))
    view = partial(measurement_view, call.studio)
    return page(call, wanted, view, default=PROJECT_PAGE_DEFAULT, largest=PROJECT_PAGE_MAX)


def _measurement_filters(call: Call, wanted: Condition) -> None:
    query = call.request.query
    if "measurement_type" in query:
        wanted.add("json_extract(body, '$.measurement_type') = ?", query["measurement_type"])
    tag_filters(wanted, query.getall("tags_all", []), query.getall("tags_any", []))


async def _get(call: Call) -> web.Response:
    record = call.record("cell_measurement", call.id("measurement"))
    settings = call.studio.settings
    asks_steps = call.request.query.get("include_steps", "true") == "true"
    refuses = settings.plain_get_while_processing == "refuse"
    if refuses and asks_steps and record.status in UNSETTLED:
        status = settings.steps_while_processing_status
        raise ErrorAnswer(status, "the measurement is still processing: ask without its steps")
    return answer(measurement_view(call.studio, record))


async def _update(call: Call) -> web.Response:
    record = call.record("cell_measurement", call.id("measurement"))
    given = {key: value for key, value in call.fields.items() if key in _PATCHABLE}
    if "start_time" in given and not call.studio.settings.start_time_can_be_patched:
        raise ErrorAnswer(400, "start_time cannot be changed")
    now = {**record.fields, "name": record.name, "channel_id": record.ref}
    meta = checked(
        call,
        {**now, **given},
        project=record.project,
        measurement_type=now["measurement_type"],
        measurement_id=record.id,
    )
    saved = call.save(
        record,
        name=meta.name,
        ref=meta.channel_id,
        start_time=meta.start_time,
        body=json.dumps(meta.body),
    )
    return answer(measurement_view(call.studio, saved))


async def _delete(call: Call) -> web.Response:
    record = call.record("cell_measurement", call.id("measurement"))
    call.studio.delete_tree(record.id)
    return no_content()


_ONE: Final = "/cell_measurements/{measurement}"

ENDPOINTS: Final = (
    Endpoint(
        "measurement.list",
        "GET",
        "/cell_instances/{instance}/cell_measurements",
        _list_of_instance,
    ),
    Endpoint("measurement.list_by_project", "GET", "/cell_measurements", _list_of_project),
    Endpoint("measurement.get", "GET", _ONE, _get),
    Endpoint("measurement.update", "PATCH", _ONE, _update),
    Endpoint("measurement.delete", "DELETE", _ONE, _delete),
)
