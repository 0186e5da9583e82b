"""Saved protocols: content-addressed, names may repeat."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import condition, page
from bulkload.localstudio.studio_settings import PROTOCOL_PAGE_MAX
from bulkload.localstudio.views import protocol_view

_NOT_IN_BODY: Final = frozenset({"name", "project_id", "force_create"})


async def _create(call: Call) -> web.Response:
    fields = call.fields
    name = call.name(fields)
    project = call.record("project", str(fields.get("project_id")))
    content = [fields.get("protocol_config"), fields.get("parameters_schema")]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    existing = call.studio.store.find("protocol", project.id, digest)
    if existing is not None and fields.get("force_create"):
        raise ErrorAnswer(409, "an identical protocol exists")
    if existing is not None:
        return answer(protocol_view(call.studio, call.record("protocol", existing)))
    body = {key: value for key, value in fields.items() if key not in _NOT_IN_BODY}
    record = call.create("protocol", project.id, project.id, name, body, key=digest)
    return answer(protocol_view(call.studio, record), call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    query = call.request.query
    if "project_id" not in query:
        raise InvalidBodyError("project_id", "Field required")
    wanted = condition("protocol", project=query["project_id"])
    return page(call, wanted, partial(protocol_view, call.studio), largest=PROTOCOL_PAGE_MAX)


async def _get(call: Call) -> web.Response:
    return answer(protocol_view(call.studio, call.record("protocol", call.id("protocol"))))


async def _delete(call: Call) -> web.Response:
    call.studio.delete_tree(call.record("protocol", call.id("protocol")).id)
    return no_content()


_ONE: Final = "/experiment_templates/{protocol}"

ENDPOINTS: Final = (
    Endpoint("protocol.create", "POST", "/experiment_templates", _create),
    Endpoint("protocol.list", "GET", "/experiment_templates", _list),
    Endpoint("protocol.get", "GET", _ONE, _get),
    Endpoint("protocol.delete", "DELETE", _ONE, _delete),
)
