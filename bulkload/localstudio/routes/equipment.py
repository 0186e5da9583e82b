"""Sites, cyclers and channels: enough for a run to sit on a channel, or to be refused one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer, no_content
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import condition, page
from bulkload.localstudio.store import StoredRecord
from bulkload.localstudio.views import equipment_view

#: Planned visits, which must say when.
_PLANNED: Final = frozenset({"maintenance", "calibration"})


async def _create_site(call: Call) -> web.Response:
    organization = call.studio.organization_id
    return _made(call, "site", organization, organization)


async def _create_cycler(call: Call) -> web.Response:
    site = call.record("site", call.id("site"))
    project = call.fields.get("project_id")
    if not isinstance(project, str):
        raise InvalidBodyError("project_id", "Field required", project)
    return _made(call, "cycler", site.id, call.record("project", project).id)


async def _create_channel(call: Call) -> web.Response:
    cycler = call.record("cycler", call.id("cycler"))
    if "out_of_commission" in call.fields:
        raise ErrorAnswer(400, "out_of_commission cannot be set at creation")
    return _made(call, "channel", cycler.id, cycler.project)


def _made(call: Call, kind: str, scope: str, project: str) -> web.Response:
    fields = call.fields
    name = call.name(fields)
    body = {key: value for key, value in fields.items() if key not in {"name", "project_id"}}
    record = call.create(kind, scope, project, name, body)
    return answer(equipment_view(call.studio, record), call.studio.settings.created_status)


async def _list_sites(call: Call) -> web.Response:
    return _listed(call, "site", call.studio.organization_id)


async def _list_cyclers(call: Call) -> web.Response:
    return _listed(call, "cycler", call.record("site", call.id("site")).id)


async def _list_channels(call: Call) -> web.Response:
    return _listed(call, "channel", call.record("cycler", call.id("cycler")).id)


async def _list_all_channels(call: Call) -> web.Response:
    return _listed(call, "channel", call.request.query.get("cycler_id"))


def _listed(call: Call, kind: str, scope: str | None) -> web.Response:
    return page(call, condition(kind, scope=scope), partial(equipment_view, call.studio))


def _reader(kind: str) -> Callable[[Call], Awaitable[web.Response]]:
    async def read(call: Call) -> web.Response:
        return answer(equipment_view(call.studio, call.record(kind, call.id(kind))))

    return read


def _updater(kind: str) -> Callable[[Call], Awaitable[web.Response]]:
    async def update(call: Call) -> web.Response:
        record = call.record(kind, call.id(kind))
        _check_outage(call, record)
        changes = {key: value for key, value in call.fields.items() if key != "name"}
        name = call.name({"name": record.name, **call.fields})
        body = json.dumps({**record.fields, **changes})
        return answer(equipment_view(call.studio, call.save(record, name=name, body=body)))

    return update


def _check_outage(call: Call, record: StoredRecord) -> None:
    fields = call.fields
    if not fields.get("out_of_commission") or record.fields.get("out_of_commission"):
        return
    if fields.get("incident_category") in _PLANNED and not fields.get("service_scheduled_at"):
        raise ErrorAnswer(400, "a planned visit needs service_scheduled_at")
    for run in call.studio.store.runs_on_channel(record.id, ""):
        if run.fields.get("end_time") is None:
            raise ErrorAnswer(409, f"channel {record.name} is busy with {run.name!r}")


def _deleter(kind: str) -> Callable[[Call], Awaitable[web.Response]]:
    async def delete(call: Call) -> web.Response:
        call.studio.delete_tree(call.record(kind, call.id(kind)).id)
        return no_content()

    return delete


ENDPOINTS: Final = (
    Endpoint("site.create", "POST", "/sites", _create_site),
    Endpoint("site.list", "GET", "/sites", _list_sites),
    Endpoint("cycler.create", "POST", "/sites/{site}/cyclers", _create_cycler),
    Endpoint("cycler.list", "GET", "/sites/{site}/cyclers", _list_cyclers),
    Endpoint("channel.create", "POST", "/cyclers/{cycler}/channels", _create_channel),
    Endpoint("channel.list", "GET", "/cyclers/{cycler}/channels", _list_channels),
    Endpoint("channel.list_all", "GET", "/channels", _list_all_channels),
    *(
        Endpoint(f"{kind}.{act}", method, f"/{kind}s/{{{kind}}}", make(kind))
        for kind in ("site", "cycler", "channel")
        for act, method, make in (
            ("get", "GET", _reader),
            ("update", "PATCH", _updater),
            ("delete", "DELETE", _deleter),
        )
    ),
)
