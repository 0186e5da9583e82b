"""Creating a record under a name that is unique in its scope, once, whatever happens.

Three things can stand between a request and its record: the name is taken (409), the answer
is lost, or the repeated request meets the record that the lost one made. Names are unique and
ids are known, so looking tells which it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bulkload.client.api.limits import READABLE_ATTEMPTS, READABLE_FIRST_WAIT_S
from bulkload.client.api.records import Record
from bulkload.client.api.resource import is_not_found
from bulkload.client.http.attempts import ask_until_found
from bulkload.core.conflict import agrees, is_duplicate_name, same_name
from bulkload.errors import ClientError, ConflictError

R = TypeVar("R", bound=Record)


Look = Callable[[], Awaitable[Any]]


@dataclass(slots=True, kw_only=True)
class Creation(Generic[R]):
    """One record to be created: how to send it, read it, and find it again."""

    #: What is sent.
    data: Mapping[str, Any]
    #: Sends it; the look is what the caller asks before it sends again.
    send: Callable[[Look], Awaitable[Any]]
    parse: Callable[[Any], R]
    #: Exact look-up in the scope of the name.
    find: Callable[[], Awaitable[R | None]]
    fetch: Callable[[str], Awaitable[R]]
    #: Whether a record lies under the parent that is meant.
    belongs: Callable[[R], bool]
    #: Set where a look-up just before showed that the name was free.
    was_free: bool = False
    _lost_answers: int = field(default=0, init=False)

    async def create(self) -> R:
        """Create the record; a taken name is a :class:`ConflictError`."""
        try:
            answer = await self.send(self._look)
        except ConflictError as error:
            if not self._lost_answers:
                raise
            found = (await self._resolve(error)).record
            if found is None or not self._is_ours(found):
                raise
            return found.marked(created=True)
        if isinstance(answer, Record):
            return self._claim(answer)
        return self.parse(answer).marked(created=True)

    async def create_or_get(self) -> R:
        """Get the record of that name, or create it. ``was_created`` states which."""
        if not self.was_free:
            found = await self.find()
            if found is not None:
                return found.marked(created=False)
            self.was_free = True
        try:
            return await self.create()
        except ConflictError as error:
            found = (await self._resolve(error)).record
            if found is None:
                raise
            return found.marked(created=False)

    async def _look(self) -> R | None:
        self._lost_answers += 1
        return await self.find()

    async def _resolve(self, error: ConflictError) -> Resolution[R]:
        return await resolve_conflict(
            error,
            name=str(self.data.get("name", "")),
            find=self.find,
            fetch=self.fetch,
            belongs=self.belongs,
        )

    def _claim(self, found: Record) -> R:
        record = self.parse(found.model_dump())
        if self._is_ours(record):
            return record.marked(created=True)
        conflict = ConflictError(
            f"{record.name!r} already exists and differs from what was sent",
            409,
            error_code="CONFLICT",
        )
        conflict.existing_id = record.id
        raise conflict

    def _is_ours(self, found: R) -> bool:
        # A name that was free a moment ago, and a request of ours that may have arrived:
        # the record is ours. Without that knowledge its content has to agree.
        return self.was_free or agrees(self.data, found.model_dump())


@dataclass(frozen=True, slots=True)
class Resolution(Generic[R]):
    """What a 409 turned out to mean."""

    #: The record that has the name; None where the conflict is another one, or none is visible.
    record: R | None
    #: Whether the conflict can be over the name at all.
    is_over_name: bool


async def resolve_conflict(
    error: ConflictError,
    *,
    name: str,
    find: Callable[[], Awaitable[R | None]],
    fetch: Callable[[str], Awaitable[R]],
    belongs: Callable[[R], bool],
) -> Resolution[R]:
    """Resolve a 409 to the record that has ``name``, for client and engine alike.

    The id that the answer names is fetched first, then the name is looked up exactly. A record
    of another name or parent is not the duplicate: a channel conflict may name such a one.
    """
    is_over_name = is_duplicate_name(error.data, error.message, name)
    if error.existing_id is not None:
        found = await fetch_named(fetch, error.existing_id)
        if found is not None:
            is_it = same_name(found.name, name) and belongs(found)
            return Resolution(found if is_it else None, is_over_name)
    return Resolution(await until_readable(find) if is_over_name else None, is_over_name)


async def fetch_named(fetch: Callable[[str], Awaitable[R]], record_id: str) -> R | None:
    """Fetch a record that the server itself has named; it may take a moment to be readable."""
    return await until_readable(lambda: fetch_or_none(fetch, record_id))


async def until_readable(ask: Callable[[], Awaitable[R | None]]) -> R | None:
    """Ask for a record that is there, as far as the server says; None where it never shows."""
    return await ask_until_found(
        ask, attempts=READABLE_ATTEMPTS, first_wait_s=READABLE_FIRST_WAIT_S
    )


async def fetch_or_none(fetch: Callable[[str], Awaitable[R]], record_id: str) -> R | None:
    """Fetch a record by its id, or None."""
    try:
        return await fetch(record_id)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
