"""List conventions: envelope, totals, filters, order, pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.localstudio.support import Api, made

pytestmark = pytest.mark.anyio


async def _cells(api: Api, *names: str) -> str:
    spec = await api.spec()
    for name in names:
        await api.cell(name, spec)
    return f"/cell_specifications/{spec}/cell_instances"


def _query(text: str) -> str:
    return quote(text, safe="")


async def _names(api: Api, path: str) -> list[str]:
    return [item["name"] for item in made(await api.get(path))["items"]]


async def test_pages_add_up_to_the_total(api: Api) -> None:
    path = await _cells(api, *(f"c{number}" for number in range(7)))
    seen: list[str] = []
    for offset in (0, 3, 6):
        page = made(await api.get(f"{path}?limit=3&offset={offset}&order=asc"))
        assert page["total"] == 7
        assert page["count"] == len(page["items"])
        seen += [item["name"] for item in page["items"]]
    assert seen == [f"c{number}" for number in range(7)]
    past = made(await api.get(f"{path}?limit=3&offset=99"))
    assert (past["items"], past["count"], past["total"]) == ([], 0, 7)


async def test_newest_first_unless_told_otherwise(api: Api) -> None:
    path = await _cells(api, "b", "a", "c")
    assert await _names(api, path) == ["c", "a", "b"]
    assert await _names(api, f"{path}?order_by=name&order=asc") == ["a", "b", "c"]
    assert await _names(api, f"{path}?order_by=name") == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("eq.Cell_1", ["Cell_1"]),
        ("eq.cell_1", []),
        ("Cell_1", ["Cell_1"]),
        ("ilike.%cell_1%", ["Cell 1", "Cell_1"]),
        ("ilike.%CELL%", ["Cell 1", "Cell_1"]),
        ("eq.100% äö.b", ["100% äö.b"]),
        ("eq.eq.x", ["eq.x"]),
    ],
)
async def test_name_filters(api: Api, filter_: str, expected: list[str]) -> None:
    path = await _cells(api, "Cell_1", "Cell 1", "100% äö.b", "eq.x")
    found = await _names(api, f"{path}?name={_query(filter_)}")
    assert sorted(found) == sorted(expected)


async def test_filters_by_creation_change_and_creator(api: Api) -> None:
    path = await _cells(api, "a", "b")
    listed = made(await api.get(f"{path}?order=asc"))["items"]
    middle = _query(listed[0]["created_at"])
    assert await _names(api, f"{path}?created_at_gt={middle}") == ["b"]
    assert await _names(api, f"{path}?created_at_lt={_query('2001-02-03T04:05:06Z')}") == []
    made(await api.patch(f"/cell_instances/{listed[0]['id']}", {"notes": "n"}))
    changed_after = _query(listed[1]["updated_at"])
    assert await _names(api, f"{path}?updated_at_gt={changed_after}") == ["a"]
    assert len(await _names(api, f"{path}?created_by_email={_query('ilike.%LOCAL%')}")) == 2
    assert await _names(api, f"{path}?created_by_email={_query('ilike.%nobody%')}") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "offset=-1", "order_by=id", "order=up", "created_at_gt=x"],
)
async def test_query_out_of_range_is_422(api: Api, query: str) -> None:
    answer = await api.get(f"{await _cells(api)}?{query}")
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"][0] == "query"


async def test_measurements_by_start_type_and_tags(api: Api) -> None:
    cell = await api.cell()
    await api.upload(cell, "first", start_time="2026-01-01T12:00:00+02:00", tags=["RPT", "25 degC"])
    await api.upload(cell, "second", start_time="2026-01-01T11:00:00Z", tags=["rpt"])
    create = f"/cell_instances/{cell}/cell_measurements/create"
    made(
        await api.post(
            create, {"name": "third", "properties": {}, "measurement_type": "properties"}
        )
    )
    path = f"/cell_instances/{cell}/cell_measurements"
    assert await _names(api, f"{path}?start_time_gt={_query('2026-01-01T10:30:00Z')}") == ["second"]
    assert await _names(api, f"{path}?measurement_type=properties") == ["third"]
    assert await _names(api, f"{path}?tags_all=rpt&tags_all={_query('25 DEGC')}") == ["first"]
    assert sorted(await _names(api, f"{path}?tags_any=none&tags_any=Rpt")) == ["first", "second"]
    ordered = await _names(
        api, f"{path}?order_by=start_time&order=desc&measurement_type=time_series"
    )
    assert ordered == ["second", "first"]


async def test_project_list_has_its_own_pages_and_search(api: Api) -> None:
    cell = await api.cell()
    create = f"/cell_instances/{cell}/cell_measurements/create"
    for number in range(30):
        body: dict[str, Any] = {
            "name": f"m{number}",
            "notes": "odd" if number % 2 else "even",
            "properties": {},
            "measurement_type": "properties",
        }
        made(await api.post(create, body))
    path = f"/cell_measurements?project_id={api.studio.project_id}"
    page = made(await api.get(path))
    assert (page["count"], page["total"]) == (25, 30)
    assert made(await api.get(f"{path}&q=odd&limit=1000"))["total"] == 15
    assert (await api.get(f"{path}&limit=1001")).status == 422


async def test_tags_in_use_are_counted(api: Api) -> None:
    cell = await api.cell()
    one = await api.upload(cell, "one", tags=["RPT"])
    two = await api.upload(cell, "two", tags=["rpt", "aged"])
    path = f"/cell_measurements/tags?project_id={api.studio.project_id}"
    used = made(await api.get(path))["items"]
    assert used == [{"tag": "RPT", "usage_count": 2}, {"tag": "aged", "usage_count": 1}]
    assert made(await api.get(f"{path}&q=ag"))["total"] == 1
    bulk = {"measurement_ids": [one, two], "add": ["AGED"], "remove": ["rPt"]}
    assert made(await api.post("/cell_measurements/tags/bulk", bulk)) == {"updated_count": 2}
    assert (await api.measurement(one))["tags"] == ["aged"]
    assert made(await api.post("/cell_measurements/tags/bulk", bulk)) == {"updated_count": 0}


@pytest.mark.parametrize("tags", [["x" * 51], [""], [f"t{number}" for number in range(51)]])
async def test_bad_tags_are_400(api: Api, tags: list[str]) -> None:
    cell = await api.cell()
    measurement = await api.upload(cell)
    bulk = {"measurement_ids": [measurement], "add": tags}
    assert (await api.post("/cell_measurements/tags/bulk", bulk)).status == 400
    pending = await api.begin(cell, "other")
    assert (await api.confirm(pending, cell, name="other", tags=tags)).status == 400


async def test_search_finds_names_of_every_kind(api: Api) -> None:
    spec = await api.spec("LG M50")
    cell = await api.cell("LG M50 #1", spec)
    found = made(await api.get("/search?q=m50"))
    assert {(item["entity_type"], item["id"]) for item in found["results"]} == {
        ("cell_specification", spec),
        ("cell_instance", cell),
    }
    assert found["total"] == 2
    only = made(await api.get("/search?q=m50&entity_types=cell_instance"))
    assert [item["parent_id"] for item in only["results"]] == [spec]
    assert (await api.get("/search?q=m")).status == 422
    assert (await api.get("/search?q=%20")).status == 400
    assert (await api.get("/search?q=m50&limit=101")).status == 422
