"""Lists: every page, fetched as it is needed, over any list route of Studio."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Generic, TypeVar, overload

from bulkload.client.api.limits import PAGE_SIZE
from bulkload.errors import IonworksError

T = TypeVar("T")


#: Fetches one page: (limit, offset) -> the server's answer.
PageFetch = Callable[[int, int], Awaitable[Any]]


def list_filters(
    *,
    name: str | None = None,
    name_exact: str | None = None,
    created_by_email: str | None = None,
    created_after: str | None = None,
    created_before: str | None = None,
    updated_after: str | None = None,
    updated_before: str | None = None,
    order_by: str | None = None,
    order: str | None = None,
    **bare: Any,
) -> dict[str, Any]:
    """Return the query of a list; ``name_exact`` outranks ``name``, None leaves a filter out."""
    match = None if name is None else f"ilike.%{name}%"
    query = {
        "name": match if name_exact is None else f"eq.{name_exact}",
        "created_by_email": None if created_by_email is None else f"ilike.%{created_by_email}%",
        "created_at_gt": created_after,
        "created_at_lt": created_before,
        "updated_at_gt": updated_after,
        "updated_at_lt": updated_before,
        "order_by": order_by,
        "order": order,
        **bare,
    }
    return {key: value for key, value in query.items() if value is not None}


class Records(Generic[T]):
    """Fetched records, to be used as a list; ``total`` counts all matches on the server."""

    def __init__(self, items: list[T], total: int) -> None:
        self.items = items
        self.total = total

    @property
    def count(self) -> int:
        """How many records are here."""
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.items[index]

    def __repr__(self) -> str:
        return f"Records({self.items!r}, total={self.total})"


class Listing(Generic[T]):
    """A list that is fetched as it is read: ``async for``, or ``await`` for all at once.

    ``limit`` is how many records are wanted in all, ``offset`` where to begin.
    """

    def __init__(
        self,
        fetch: PageFetch,
        parse: Callable[[Any], T],
        *,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._fetch = fetch
        self._parse = parse
        self._limit = limit
        self._page_size = page_size
        self._offset = offset or 0
        self._items: list[T] = []
        #: Keys of what was received: a row that moved to a later page is taken once.
        self._seen: set[str] = set()
        self._received = 0
        self._total: int | None = None
        self._is_complete = limit == 0

    async def __aiter__(self) -> AsyncIterator[T]:
        index = 0
        while await self.reach(index):
            yield self._items[index]
            index += 1

    def __await__(self) -> Generator[Any, None, Records[T]]:
        return self._all().__await__()

    async def reach(self, index: int) -> bool:
        """Fetch until the record of this index is here; False where the list ends before."""
        while len(self._items) <= index and not self._is_complete:
            await self._fetch_page()
        return index < len(self._items)

    async def total(self) -> int:
        """Return the server's count of all matches."""
        if self._total is None and not self._is_complete:
            await self._fetch_page()
        return len(self._items) if self._total is None else self._total

    @property
    def fetched(self) -> Sequence[T]:
        """The records that are here so far."""
        return self._items

    async def _all(self) -> Records[T]:
        while not self._is_complete:
            await self._fetch_page()
        return Records(list(self._items), await self.total())

    async def _fetch_page(self) -> None:
        wanted = self._page_size if self._limit is None else self._limit - len(self._items)
        offset = self._offset + self._received
        answer = await self._fetch(min(self._page_size, wanted), offset)
        page, self._total = _read_page(answer)
        fresh = [item for item in page if _key(item) not in self._seen]
        self._seen.update(_key(item) for item in fresh)
        self._received += len(page)
        self._items.extend(self._parse(item) for item in fresh)
        # A bare array is the whole list: such routes know no pages. A page without anything
        # new is the end too, or a server that ignores ``offset`` would be read for ever.
        is_last = isinstance(answer, list) or not fresh
        if self._total is not None and offset + len(page) >= self._total:
            is_last = True
        if self._limit is not None and len(self._items) >= self._limit:
            del self._items[self._limit :]
            is_last = True
        self._is_complete = is_last


def _key(item: Any) -> str:
    return str(item.get("id", item)) if isinstance(item, Mapping) else str(item)


def _read_page(answer: Any) -> tuple[list[Any], int | None]:
    if isinstance(answer, list):
        return answer, len(answer)
    if isinstance(answer, Mapping) and isinstance(answer.get("items"), list):
        total = answer.get("total")
        return answer["items"], total if isinstance(total, int) else None
    raise IonworksError(f"the server answered {type(answer).__name__} instead of a list")
