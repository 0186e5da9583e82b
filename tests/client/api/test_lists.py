"""Lists over every kind of list route: enveloped, bare, without a total, deaf to ``offset``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bulkload.client.api.limits import PAGE_SIZE
from bulkload.client.api.lists import Listing, Records, list_filters
from bulkload.errors import IonworksError

pytestmark = pytest.mark.anyio


class Route:
    """A list route that keeps what it was asked."""

    def __init__(self, items: Sequence[Any], *, total: bool = True, cap: int = 1000) -> None:
        self.items = [{"id": str(item)} for item in items]
        self.asked: list[tuple[int, int]] = []
        self._total = total
        self._cap = cap

    async def fetch(self, limit: int, offset: int) -> Any:
        self.asked.append((limit, offset))
        page = self.items[offset : offset + min(limit, self._cap)]
        answer: dict[str, Any] = {"items": page, "count": len(page)}
        return {**answer, "total": len(self.items)} if self._total else answer

    def listing(self, limit: int | None = None, offset: int | None = None) -> Listing[str]:
        return Listing(self.fetch, lambda item: str(item["id"]), limit=limit, offset=offset)


async def test_all_pages_are_read_as_they_are_needed() -> None:
    route = Route(range(250))
    seen = []
    async for record in route.listing():
        seen.append(record)
        if len(seen) == 3:
            assert route.asked == [(PAGE_SIZE, 0)]
    assert seen == [str(number) for number in range(250)]
    assert route.asked == [(PAGE_SIZE, 0), (PAGE_SIZE, 100), (PAGE_SIZE, 200)]


async def test_awaiting_gives_all_with_the_total() -> None:
    records = await Route(range(5)).listing()
    assert isinstance(records, Records)
    assert (records.total, records.count, len(records)) == (5, 5, 5)
    assert (records[0], records[-1], records[1:3]) == ("0", "4", ["1", "2"])
    assert "0" in records


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(0, None, []), (2, None, [0, 1]), (150, 10, range(10, 160)), (5, 248, [248, 249])],
)
async def test_a_limit_is_of_all_records(
    limit: int, offset: int | None, expected: Sequence[int]
) -> None:
    records = await Route(range(250)).listing(limit, offset)
    assert records.items == [str(number) for number in expected]


async def test_pages_shorter_than_asked_for_are_followed_by_what_came() -> None:
    route = Route(range(25), cap=10)
    assert len(await route.listing()) == 25
    assert [offset for _, offset in route.asked] == [0, 10, 20]


async def test_without_a_total_an_empty_page_ends_the_list() -> None:
    route = Route(range(150), total=False)
    assert len(await route.listing()) == 150
    assert len(route.asked) == 3


async def test_a_server_deaf_to_offset_is_not_read_for_ever() -> None:
    async def fetch(limit: int, _offset: int) -> Any:
        return {"items": [{"id": str(number)} for number in range(limit)]}

    records = await Listing(fetch, lambda item: str(item["id"]))
    assert len(records) == PAGE_SIZE


async def test_a_record_that_moves_to_a_later_page_is_taken_once() -> None:
    async def fetch(_limit: int, offset: int) -> Any:
        page = [3, 2, 1] if offset == 0 else [1, 0]
        return {"items": [{"id": str(number)} for number in page], "total": 5}

    records = await Listing(fetch, lambda item: str(item["id"]))
    assert records.items == ["3", "2", "1", "0"]


async def test_a_bare_array_is_the_whole_list() -> None:
    async def fetch(_limit: int, _offset: int) -> Any:
        return ["a", "b", "c"]

    assert (await Listing(fetch, str)).items == ["a", "b", "c"]
    assert (await Listing(fetch, str, limit=2)).items == ["a", "b"]


@pytest.mark.parametrize("answer", [None, "x", {}, {"items": None}, 3])
async def test_what_is_no_list_is_the_servers_error(answer: Any) -> None:
    async def fetch(_limit: int, _offset: int) -> Any:
        return answer

    with pytest.raises(IonworksError, match="list"):
        await Listing(fetch, str)


def test_filters_are_written_as_the_server_reads_them() -> None:
    assert list_filters(name="a b", created_by_email="x@y") == {
        "name": "ilike.%a b%",
        "created_by_email": "ilike.%x@y%",
    }
    assert list_filters(name="ignored", name_exact="A%", order="asc", batch_id=None) == {
        "name": "eq.A%",
        "order": "asc",
    }
