"""Search over the names of all resources."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.listing import condition, whole_number
from bulkload.localstudio.studio_settings import (
    SEARCH_DEFAULT,
    SEARCH_MAX,
    SEARCH_MIN_QUERY_LENGTH,
    SEARCH_PER_TYPE_DEFAULT,
    SEARCH_PER_TYPE_MAX,
)

SEARCHED_KINDS: Final = (
    "project",
    "cell_specification",
    "cell_instance",
    "cell_measurement",
    "material",
    "raw_data",
    "protocol",
)


async def _search(call: Call) -> web.Response:
    query = call.request.query
    text = query.get("q", "").strip()
    if not text:
        raise ErrorAnswer(400, "the search is blank")
    if len(text) < SEARCH_MIN_QUERY_LENGTH:
        raise InvalidBodyError("q", f"use at least {SEARCH_MIN_QUERY_LENGTH} characters", text)
    limit = whole_number(query, "limit", SEARCH_DEFAULT, 1, SEARCH_MAX)
    offset = whole_number(query, "offset", 0, 0)
    per_type = whole_number(query, "per_type", SEARCH_PER_TYPE_DEFAULT, 1, SEARCH_PER_TYPE_MAX)
    found: list[dict[str, Any]] = []
    for kind in query.getall("entity_types", list(SEARCHED_KINDS)):
        found += _of_kind(call, kind, text, per_type)
    return answer(
        {
            "results": found[offset : offset + limit],
            "query": text,
            "total": len(found),
            "limit": limit,
            "offset": offset,
        }
    )


def _of_kind(call: Call, kind: str, text: str, count: int) -> list[dict[str, Any]]:
    wanted = condition(kind, project=call.request.query.get("project_id"))
    wanted.add("name LIKE ?", f"%{text}%")
    records, _ = call.studio.store.page(wanted.text, wanted.values, "name, seq", count, 0)
    return [
        {
            "id": record.id,
            "entity_type": record.kind,
            "name": record.name,
            "project_id": record.project,
            "parent_id": record.scope,
        }
        for record in records
    ]


ENDPOINTS: Final = (Endpoint("search", "GET", "/search", _search),)
