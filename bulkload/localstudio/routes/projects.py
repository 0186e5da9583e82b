"""Projects."""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer
from bulkload.localstudio.listing import condition, page_items
from bulkload.localstudio.views import project_view


async def _create(call: Call) -> web.Response:
    fields = call.fields
    name = call.name(fields)
    project_id = str(uuid.uuid4())
    record = call.create(
        "project",
        call.studio.organization_id,
        project_id,
        name,
        {key: value for key, value in fields.items() if key != "name"},
        record_id=project_id,
    )
    return answer(project_view(call.studio, record), call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    wanted = condition("project", scope=call.studio.organization_id)
    items, total = page_items(call, wanted, partial(project_view, call.studio))
    if call.studio.settings.project_list == "array":
        return answer(items)
    return answer({"items": items, "count": len(items), "total": total})


async def _get(call: Call) -> web.Response:
    return answer(project_view(call.studio, call.record("project", call.id("project"))))


async def _update(call: Call) -> web.Response:
    record = call.record("project", call.id("project"))
    body = {**record.fields, **{k: v for k, v in call.fields.items() if k != "name"}}
    name = call.name({"name": record.name, **call.fields})
    return answer(project_view(call.studio, call.save(record, name=name, body=json.dumps(body))))


async def _delete(call: Call) -> web.Response:
    record = call.record("project", call.id("project"))
    if record.id == call.studio.project_id:
        raise ErrorAnswer(403, "the first project of a local Studio stays")
    call.studio.delete_tree(record.id)
    return no_content()


ENDPOINTS: Final = (
    Endpoint("project.create", "POST", "/projects", _create),
    Endpoint("project.list", "GET", "/projects", _list),
    Endpoint("project.get", "GET", "/projects/{project}", _get),
    Endpoint("project.update", "PATCH", "/projects/{project}", _update),
    Endpoint("project.delete", "DELETE", "/projects/{project}", _delete),
)
