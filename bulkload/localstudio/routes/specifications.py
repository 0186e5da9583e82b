"""Cell specifications, with their components and materials."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.datetimes import now_text
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import body_filter, condition, page
from bulkload.localstudio.store import StoredRecord
from bulkload.localstudio.views import COMPONENT_SLOTS, specification_view

#: What has a column of its own, or is the server's to say.
_NOT_IN_BODY: Final = frozenset({"id", "name", "project_id"})


async def _create(call: Call) -> web.Response:
    fields = call.fields
    name = call.name(fields)
    project = _project(call, fields)
    if call.studio.settings.ratings_required and "ratings" not in fields:
        raise InvalidBodyError("ratings", "Field required")
    record = call.create("cell_specification", project, project, name, _body(call, project, fields))
    view = specification_view(call.studio, record, full=True)
    return answer(view, call.studio.settings.created_status)


async def _list(call: Call) -> web.Response:
    query = call.request.query
    wanted = condition("cell_specification", scope=query.get("project_id"))
    body_filter(wanted, query, "form_factor")
    materials = [*query.getall("material_ids", []), *query.getall("material_id", [])]
    if materials:
        marks = ", ".join("?" * len(materials))
        slots = [
            f"json_extract(body, '$.{slot}.material_id') IN ({marks})" for slot in COMPONENT_SLOTS
        ]
        wanted.add(f"({' OR '.join(slots)})", *materials * len(slots))
    for slot in COMPONENT_SLOTS:
        if f"{slot}_material_id" in query:
            wanted.add(
                f"json_extract(body, '$.{slot}.material_id') = ?", query[f"{slot}_material_id"]
            )
    if "exclude_cell_spec_id" in query:
        wanted.add("id <> ?", query["exclude_cell_spec_id"])
    full = query.get("full") == "true"
    return page(call, wanted, partial(specification_view, call.studio, full=full))


async def _get(call: Call) -> web.Response:
    record = call.record("cell_specification", call.id("specification"))
    return answer(specification_view(call.studio, record, full=True))


async def _update(call: Call) -> web.Response:
    record = call.record("cell_specification", call.id("specification"))
    body = {**record.fields, **_body(call, record.project, call.fields)}
    name = call.name({"name": record.name, **call.fields})
    saved = call.save(record, name=name, body=json.dumps(body))
    return answer(specification_view(call.studio, saved, full=True))


async def _delete(call: Call) -> web.Response:
    record = call.record("cell_specification", call.id("specification"))
    call.studio.delete_tree(record.id)
    return no_content()


def _project(call: Call, fields: Mapping[str, Any]) -> str:
    project = fields.get("project_id")
    if not isinstance(project, str) or not project:
        raise ErrorAnswer(call.studio.settings.no_project_status, "project_id is required")
    return call.record("project", project).id


def _body(call: Call, project: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    body = {key: value for key, value in fields.items() if key not in _NOT_IN_BODY}
    for slot in COMPONENT_SLOTS:
        if isinstance(body.get(slot), dict):
            body[slot] = _component(call, project, slot, body[slot])
    return body


def _component(call: Call, project: str, slot: str, given: Mapping[str, Any]) -> dict[str, Any]:
    now = now_text()
    component = {
        "id": str(uuid.uuid4()),
        "component_type": slot,
        "organization_id": call.studio.organization_id,
        "properties": given.get("properties") or {},
        "material_id": None,
        "material": None,
        "created_at": now,
        "updated_at": now,
    }
    material = given.get("material")
    if isinstance(material, dict):
        record = _material(call, project, slot, material)
        component["material_id"] = record.id
        component["material"] = {
            **record.fields,
            "id": record.id,
            "name": record.name,
            "organization_id": call.studio.organization_id,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
        }
    return component


def _material(call: Call, project: str, slot: str, given: Mapping[str, Any]) -> StoredRecord:
    """Return the project's material of this name, maker and product; made if it does not exist."""
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidBodyError(f"{slot}.material.name", "Field required", name)
    body = {"manufacturer": None, "product_id": None, "definition": None, **given}
    scope = json.dumps([project, body["manufacturer"], body["product_id"]])
    found = call.studio.store.find("material", scope, call.name_key("material", name))
    if found is not None:
        return call.record("material", found)
    return call.create("material", scope, project, name, body)


ENDPOINTS: Final = (
    Endpoint("spec.create", "POST", "/cell_specifications", _create),
    Endpoint("spec.list", "GET", "/cell_specifications", _list),
    Endpoint("spec.get", "GET", "/cell_specifications/{specification}", _get),
    Endpoint("spec.update", "PATCH", "/cell_specifications/{specification}", _update),
    Endpoint("spec.delete", "DELETE", "/cell_specifications/{specification}", _delete),
)
