"""What every sub-client stands on: the caller, the storage, and the defaults of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from bulkload.client.api.lists import Listing
from bulkload.errors import ClientError, IonworksError

if TYPE_CHECKING:
    from bulkload.client.http.caller import Caller
    from bulkload.client.storage.storage import Storage

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """What the sub-clients of one client share."""

    caller: Caller
    storage: Storage
    #: The project where none is named.
    project_id: str | None
    #: What tables are given back as: ``polars``, ``pandas`` or ``pyarrow``.
    dataframe_backend: str


class Resource:
    """A sub-client."""

    def __init__(self, connection: ClientContext) -> None:
        self._connection = connection
        self._caller = connection.caller
        self._storage = connection.storage

    def _listing(
        self,
        path: str,
        parse: Callable[[Any], T],
        query: Mapping[str, Any],
        *,
        limit: int | None,
        offset: int | None,
    ) -> Listing[T]:
        async def fetch(page_size: int, start: int) -> Any:
            params = {**query, "limit": page_size, "offset": start}
            return await self._caller.call("GET", path, params=params)

        return Listing(fetch, parse, limit=limit, offset=offset)

    async def _patch(self, path: str, data: Mapping[str, Any] | None) -> Any:
        return await self._caller.call("PATCH", path, json=dict(data or {}), look=send_again)

    def _project(self, project_id: str | None) -> str:
        chosen = project_id or self._connection.project_id
        if not chosen:
            raise ValueError(
                "no project: pass project_id, give the client one, or set IONWORKS_PROJECT_ID"
            )
        return chosen


async def send_again() -> None:
    """Look for nothing: the act may be repeated, because twice is the same as once."""


def part_of(answer: Any, name: str) -> Any:
    """Return one field of an answer; an answer without it is the server's error."""
    if isinstance(answer, Mapping) and name in answer:
        return answer[name]
    raise IonworksError(f"the server's answer has no {name!r}")


def is_not_found(error: ClientError) -> bool:
    """Return whether the server says that there is no such thing."""
    return error.status_code == 404


async def run_all(acts: Iterable[Callable[[], Awaitable[None]]], *, at_once: int) -> None:
    """Run acts side by side, a few at once; the first error ends them and is raised plain."""
    limiter = anyio.CapacityLimiter(at_once)

    async def run(act: Callable[[], Awaitable[None]]) -> None:
        async with limiter:
            await act()

    try:
        async with anyio.create_task_group() as tasks:
            for act in acts:
                tasks.start_soon(run, act)
    except BaseExceptionGroup as group:
        raise _first_leaf(group) from group


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
