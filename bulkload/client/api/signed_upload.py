"""The steps that every upload shares: ask for signed URLs, store, confirm.

No record exists before confirm, and its id is known from the first step. So the first step may
be repeated, and a lost answer to confirm is settled by asking for that id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from bulkload.client.api.creation import fetch_named, fetch_or_none
from bulkload.client.api.limits import MAX_INITIATES
from bulkload.client.api.records import Record
from bulkload.client.api.resource import is_not_found
from bulkload.client.http.attempts import repeat
from bulkload.errors import ClientError, ConflictError, ExpiredUrlError

if TYPE_CHECKING:
    from bulkload.client.http.caller import Caller

T = TypeVar("T")
R = TypeVar("R", bound=Record)


async def with_fresh_urls(
    act: Callable[[], Awaitable[T]],
    *,
    on_expired: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Ask for signed URLs and use them, again with new ones where they have expired.

    ``act`` does both; ``on_expired`` is awaited before it begins again. Raises
    :class:`ExpiredUrlError` after ``MAX_INITIATES`` times, and whatever else ``act`` raises.
    """
    return await repeat(
        act, may_repeat=_is_expired, attempts=MAX_INITIATES, before_again=on_expired
    )


async def confirm_upload(
    caller: Caller,
    path: str,
    payload: Mapping[str, Any],
    *,
    record_id: str,
    fetch: Callable[[str], Awaitable[R]],
) -> Mapping[str, Any]:
    """Confirm an upload and return the record's fields, once however often it is sent.

    A record with the id that initiate gave is our own: an earlier confirm arrived. Raises
    :class:`ConflictError` without one, and :class:`ClientError` with the cause
    ``record_vanished`` where the answer to a confirm was lost and neither is there any more.
    """
    may_be_made = False

    async def look() -> Mapping[str, Any] | None:
        nonlocal may_be_made
        may_be_made = True
        found = await fetch_or_none(fetch, record_id)
        return None if found is None else found.model_dump()

    try:
        answer: Mapping[str, Any] = await caller.call("POST", path, json=payload, look=look)
    except ConflictError as error:
        is_named = may_be_made or error.existing_id == record_id
        found = await (fetch_named if is_named else fetch_or_none)(fetch, record_id)
        if found is None:
            raise
        return found.model_dump()
    except ClientError as error:
        if may_be_made and is_not_found(error):
            raise _vanished(record_id, error) from error
        raise
    return answer


def _vanished(record_id: str, error: ClientError) -> ClientError:
    """Return the error of a record that may have been made and is not there."""
    vanished = ClientError(
        f"the answer to its confirm was lost, and Studio has neither the upload {record_id} nor "
        f"its record ({error}); run `bulkload retry` to upload it again",
    )
    vanished.cause = "record_vanished"
    return vanished


def _is_expired(error: BaseException) -> bool:
    return isinstance(error, ExpiredUrlError)
