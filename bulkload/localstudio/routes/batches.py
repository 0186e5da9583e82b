"""Cell batches: cells of a specification made together."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.listing import condition, page
from bulkload.localstudio.views import batch_view

_FIELDS: Final[tuple[str, ...]] = ("notes", "date_manufactured", "properties")


async def _create(call: Call) -> web.Response:
    specification = call.record("cell_specification", call.id("specification"))
    fields = call.fields
    name = call.name(fields)
    body = {key: fields[key] for key in _FIELDS if key in fields}
    record = call.create("cell_batch", specification.id, specification.project, name, body)
    return answer(batch_view(call.studio, record), call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    specification = call.record("cell_specification", call.id("specification"))
    wanted = condition("cell_batch", scope=specification.id)
    return page(call, wanted, partial(batch_view, call.studio))


async def _get(call: Call) -> web.Response:
    return answer(batch_view(call.studio, call.record("cell_batch", call.id("batch"))))


async def _update(call: Call) -> web.Response:
    record = call.record("cell_batch", call.id("batch"))
    fields = call.fields
    body = {**record.fields, **{key: fields[key] for key in _FIELDS if key in fields}}
    name = call.name({"name": record.name, **fields})
    return answer(batch_view(call.studio, call.save(record, name=name, body=json.dumps(body))))


async def _delete(call: Call) -> web.Response:
    call.studio.delete_tree(call.record("cell_batch", call.id("batch")).id)
    return no_content()


_UNDER_SPECIFICATION: Final = "/cell_specifications/{specification}/cell_batches"

ENDPOINTS: Final = (
    Endpoint("batch.create", "POST", _UNDER_SPECIFICATION, _create),
    Endpoint("batch.list", "GET", _UNDER_SPECIFICATION, _list),
    Endpoint("batch.get", "GET", "/cell_batches/{batch}", _get),
    Endpoint("batch.update", "PATCH", "/cell_batches/{batch}", _update),
    Endpoint("batch.delete", "DELETE", "/cell_batches/{batch}", _delete),
)
