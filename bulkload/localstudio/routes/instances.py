"""Cell instances: the physical cells of a specification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import condition, page, text_filter
from bulkload.localstudio.views import instance_view

_NOT_IN_BODY: Final = frozenset(
    {"id", "name", "batch_id", "batch_name", "batch", "cell_specification_id"}
)


async def _create(call: Call) -> web.Response:
    specification = call.record("cell_specification", call.id("specification"))
    fields = call.fields
    name = call.name(fields)
    record = call.create(
        "cell_instance",
        specification.id,
        specification.project,
        name,
        _body(call, fields),
        ref=_batch(call, specification.id, fields.get("batch_id")),
    )
    view = instance_view(call.studio, record, full=True)
    return answer(view, call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    specification = call.record("cell_specification", call.id("specification"))
    wanted = condition("cell_instance", scope=specification.id)
    batch = call.request.query.get("batch_id")
    if batch is not None:
        wanted.add(*text_filter("ref", batch))
    return page(call, wanted, partial(instance_view, call.studio))


async def _get(call: Call) -> web.Response:
    record = call.record("cell_instance", call.id("instance"))
    return answer(instance_view(call.studio, record, full=True))


async def _update(call: Call) -> web.Response:
    record = call.record("cell_instance", call.id("instance"))
    fields = call.fields
    saved = call.save(
        record,
        name=call.name({"name": record.name, **fields}),
        ref=_batch(call, record.scope, fields.get("batch_id", record.ref)),
        body=json.dumps({**record.fields, **_body(call, fields)}),
    )
    return answer(instance_view(call.studio, saved, full=True))


async def _delete(call: Call) -> web.Response:
    call.studio.delete_tree(call.record("cell_instance", call.id("instance")).id)
    return no_content()


def _batch(call: Call, specification: str, batch_id: Any) -> str | None:
    if batch_id is None:
        return None
    batch = call.studio.store.get("cell_batch", str(batch_id))
    if batch is None or batch.scope != specification:
        raise ErrorAnswer(
            400, f"batch {batch_id} is no batch of cell specification {specification}"
        )
    return batch.id


def _body(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    if "batch" in fields and call.studio.settings.legacy_batch == "refuse":
        raise InvalidBodyError("batch", "Extra inputs are not permitted", fields["batch"])
    return {key: value for key, value in fields.items() if key not in _NOT_IN_BODY}


_UNDER_SPECIFICATION: Final = "/cell_specifications/{specification}/cell_instances"

ENDPOINTS: Final = (
    Endpoint("instance.create", "POST", _UNDER_SPECIFICATION, _create),
    Endpoint("instance.list", "GET", _UNDER_SPECIFICATION, _list),
    Endpoint("instance.get", "GET", "/cell_instances/{instance}", _get),
    Endpoint("instance.update", "PATCH", "/cell_instances/{instance}", _update),
    Endpoint("instance.delete", "DELETE", "/cell_instances/{instance}", _delete),
)
