"""Tags: those in use, and changes to many measurements at once."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import whole_number
from bulkload.localstudio.measurement_metadata import normal_tags
from bulkload.localstudio.store import StoredRecord
from bulkload.localstudio.studio_settings import MAX_BULK_IDS, TAG_PAGE_DEFAULT, TAG_PAGE_MAX


async def _list(call: Call) -> web.Response:
    query = call.request.query
    if "project_id" not in query:
        raise InvalidBodyError("project_id", "Field required")
    limit = whole_number(query, "limit", TAG_PAGE_DEFAULT, 1, TAG_PAGE_MAX)
    found = call.studio.store.tags(query["project_id"], f"%{query.get('q', '')}%", limit)
    items = [{"tag": tag, "usage_count": count} for tag, count in found]
    return answer({"items": items, "count": len(items), "total": len(items)})


async def _bulk(call: Call) -> web.Response:
    fields = call.fields
    ids = _texts(fields, "measurement_ids")
    if not 1 <= len(ids) <= MAX_BULK_IDS:
        raise InvalidBodyError("measurement_ids", f"use 1 to {MAX_BULK_IDS} ids", len(ids))
    add, remove = _texts(fields, "add"), _texts(fields, "remove")
    records = [call.studio.store.get("cell_measurement", each) for each in ids]
    known = [record for record in records if record is not None]
    missing = len(known) < len(records)
    if missing and call.studio.settings.bulk_tags == "all_or_nothing":
        raise ErrorAnswer(404, "a measurement does not exist or is not visible")
    with call.studio.store.transaction():
        changed = [_retag(call, record, add, remove) for record in known]
    if missing:
        raise ErrorAnswer(404, "a measurement does not exist or is not visible")
    return answer({"updated_count": sum(changed)})


def _retag(call: Call, record: StoredRecord, add: list[str], remove: list[str]) -> bool:
    body = record.fields
    before = body.get("tags") or []
    gone = {tag.strip().casefold() for tag in remove}
    kept = [tag for tag in before if tag.casefold() not in gone]
    after = normal_tags(call, record.project, [*kept, *add])
    if after == before:
        return False
    call.save(record, body=json.dumps({**body, "tags": after}))
    return True


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    given = fields.get(name, [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidBodyError(name, "Input should be a list of strings", given)
    return given


ENDPOINTS: Final = (
    Endpoint("tag.list", "GET", "/cell_measurements/tags", _list),
    Endpoint("tag.bulk", "POST", "/cell_measurements/tags/bulk", _bulk),
)
