"""The wire of a simulation: requests and bodies meet the trouble that chance deals out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from bulkload.client.http.api_session import TIMED_OUT
from bulkload.client.http.wire import Answer, Request
from bulkload.client.storage.body import Body, Sending
from bulkload.client.storage.store_http import StorageHttp
from bulkload.errors import AnswerLostError, ClientError, UnreachableError
from tests.simulation.memory_studio import STORE_HOST
from tests.simulation.world import EPOCH, World

#: Seconds that an answer is waited for, byte by byte and as a whole, and a connection.
PATIENCE_S: Final = 60.0
WHOLE_PATIENCE_S: Final = 300.0
CONNECT_PATIENCE_S: Final = 10.0
#: Seconds for which a name leads astray.
ASTRAY_S: Final = 20.0

_HTML: Final = Answer(
    status=200,
    headers={"content-type": "text/html"},
    body=b"<!DOCTYPE html><html><body>Please sign in to the network</body></html>",
)


class Trouble(StrEnum):
    """What may happen to a request."""

    REFUSED = "refused"
    RESET_BEFORE = "reset_before"
    RESET_DURING = "reset_during"
    RESET_AFTER = "reset_after"
    SILENCE_BEFORE = "silence_before"
    SILENCE_AFTER = "silence_after"
    #: Nobody answers in time, and the request is carried out all the same, later.
    LATE = "late"
    TRUNCATED = "truncated"
    HTML = "html"
    HTML_AFTER = "html_after"
    DUPLICATE = "duplicate"
    #: The name of the service is not known for a while, leads to a machine that drops what it is
    #: sent, or to somebody else's server.
    NAME_UNKNOWN = "name_unknown"
    NAME_TO_NOBODY = "name_to_nobody"
    NAME_TO_OTHER = "name_to_other"
    TLS = "tls"
    #: So slow, byte by byte, that only the patience with the whole ends it.
    SLOW_ANSWER = "slow_answer"
    SLOW_BODY = "slow_body"
    EXPIRED = "expired"
    LIE = "lie"
    S408 = "408"
    S413 = "413"
    S429 = "429"
    S429_SECONDS = "429_seconds"
    S429_DATE = "429_date"
    S429_ABSURD = "429_absurd"
    S500 = "500"
    S500_AFTER = "500_after"
    S502 = "502"
    S503 = "503"
    S503_SECONDS = "503_seconds"
    S504 = "504"
    S504_AFTER = "504_after"
    S524 = "524"
    #: What an answer means, and no accident: dealt in the matrix only.
    EARLY = "early"
    QUOTA = "quota"
    CHANNEL = "channel"
    RIVAL = "rival"
    STALE_UPLOAD = "stale_upload"
    FORGOTTEN = "forgotten"


#: Status, words of Retry-After, and whether the work was done before.
_STATUSES: Final[dict[Trouble, tuple[int, str | None, bool]]] = {
    Trouble.S408: (408, None, False),
    Trouble.S413: (413, "1", False),
    Trouble.S429: (429, None, False),
    Trouble.S429_SECONDS: (429, "2", False),
    Trouble.S429_DATE: (429, "date", False),
    Trouble.S429_ABSURD: (429, "99999999", False),
    Trouble.S500: (500, None, False),
    Trouble.S500_AFTER: (500, None, True),
    Trouble.S502: (502, None, False),
    Trouble.S503: (503, None, False),
    Trouble.S503_SECONDS: (503, "2", False),
    Trouble.S504: (504, None, False),
    Trouble.S504_AFTER: (504, None, True),
    Trouble.S524: (524, None, False),
}

#: Trouble that is an answer with a meaning.
MEANT: Final = frozenset(
    {
        Trouble.EARLY,
        Trouble.QUOTA,
        Trouble.CHANNEL,
        Trouble.RIVAL,
        Trouble.STALE_UPLOAD,
        Trouble.FORGOTTEN,
    }
)
#: Trouble that only one of the two services knows.
STORE_ONLY: Final = frozenset(
    {Trouble.RESET_DURING, Trouble.EXPIRED, Trouble.LIE, Trouble.SLOW_BODY}
)
API_ONLY: Final = frozenset(
    {Trouble.S413, Trouble.S429_DATE, Trouble.S429_ABSURD, Trouble.TRUNCATED, Trouble.LATE}
)
FOR_API: Final = tuple(kind for kind in Trouble if kind not in STORE_ONLY | MEANT)
FOR_STORE: Final = tuple(kind for kind in Trouble if kind not in API_ONLY | MEANT)

#: Chooses the trouble of a request, by its step of the protocol; None for none.
Dealer = Callable[[World, str], Trouble | None]


def by_chance(world: World, step: str) -> Trouble | None:
    """Deal out every kind of trouble alike, at the world's rate."""
    if world.chance.random() >= world.fault_rate:
        return None
    return world.chance.choice(FOR_STORE if step == "put" else FOR_API)


@dataclass(slots=True)
class _Act:
    """What a request does when it arrives; it may arrive more than once."""

    world: World
    work: Callable[[], Answer]

    async def meet(self, trouble: Trouble | None) -> Answer:
        """Carry out the act in trouble; the answer, or the error that stands for none."""
        world = self.world
        if trouble is Trouble.NAME_TO_NOBODY:
            await asyncio.sleep(CONNECT_PATIENCE_S)
            await world.step()
            raise UnreachableError("cannot connect: timed out")
        number = world.sets_out(self.work)
        try:
            await world.travel()
            await world.step()
            if world.is_out():
                raise _lost_in_outage(world)
            if trouble is Trouble.LATE:
                loop = asyncio.get_running_loop()
                loop.call_later(PATIENCE_S + world.chance.uniform(0.0, 30.0), self.work)
        finally:
            world.has_arrived(number)
        answer = self._answered(trouble)
        await world.step()
        if trouble in _TIMES_OUT:
            await asyncio.sleep(_TIMES_OUT[trouble])
            lost = AnswerLostError("no answer: timed out")
            lost.cause = TIMED_OUT
            raise lost
        await world.travel()
        await world.step()
        return answer

    def _answered(self, trouble: Trouble | None) -> Answer:
        if trouble in _ANSWERS:
            return _ANSWERS[trouble]
        match trouble:
            case None | Trouble.LIE | Trouble.RIVAL | Trouble.STALE_UPLOAD | Trouble.FORGOTTEN:
                return self.work()
            case Trouble.REFUSED | Trouble.NAME_UNKNOWN | Trouble.TLS:
                raise UnreachableError(f"cannot connect: {trouble}")
            case Trouble.RESET_BEFORE | Trouble.RESET_DURING:
                raise AnswerLostError("no answer: reset")
            case Trouble.RESET_AFTER:
                self.work()
                raise AnswerLostError("no answer: reset")
            case Trouble.SILENCE_AFTER | Trouble.SLOW_ANSWER | Trouble.HTML_AFTER:
                self.work()
                return _HTML
            case Trouble.DUPLICATE:
                self.work()
                return self.work()
            case Trouble.TRUNCATED:
                self.work()
                raise AnswerLostError("no answer: the answer broke off")
        return self._status(*_STATUSES[trouble])

    def _status(self, status: int, retry_after: str | None, was_done: bool) -> Answer:  # noqa: FBT001
        if was_done:
            self.work()
        if retry_after == "date":
            moment = EPOCH + timedelta(seconds=self.world.now() + 2.0)
            retry_after = format_datetime(moment, usegmt=True)
        headers = {} if retry_after is None else {"retry-after": retry_after}
        return Answer(status=status, headers=headers, body=b"<html>trouble</html>")


#: What is answered without any work; nobody waits for the answers of the slow ones.
_ANSWERS: Final[dict[Trouble | None, Answer]] = {
    Trouble.SILENCE_BEFORE: _HTML,
    Trouble.LATE: _HTML,
    Trouble.SLOW_BODY: _HTML,
    Trouble.HTML: _HTML,
    Trouble.NAME_TO_OTHER: Answer(
        status=404,
        headers={"content-type": "text/html"},
        body=b"<html><head><title>404 Not Found</title></head></html>",
    ),
    Trouble.QUOTA: Answer(status=403, headers={}, body=b'{"message": "quota exceeded"}'),
    Trouble.CHANNEL: Answer(
        status=409,
        headers={},
        body=b'{"error_code": "CONFLICT", "message": "overlaps on channel 3"}',
    ),
}
#: Seconds until the engine's patience with it ends.
_TIMES_OUT: Final[dict[Trouble | None, float]] = {
    Trouble.SILENCE_BEFORE: PATIENCE_S,
    Trouble.SILENCE_AFTER: PATIENCE_S,
    Trouble.LATE: PATIENCE_S,
    Trouble.SLOW_BODY: PATIENCE_S,
    Trouble.SLOW_ANSWER: WHOLE_PATIENCE_S,
}
_NAMES: Final = frozenset({Trouble.NAME_UNKNOWN, Trouble.NAME_TO_NOBODY, Trouble.NAME_TO_OTHER})
#: What a store says of a URL that its clock does not find valid: one is behind, one ahead.
_OUT_OF_DATE: Final[dict[Trouble | None, bytes]] = {
    Trouble.EXPIRED: b'{"message": "\\"exp\\" claim failed"}',
    Trouble.EARLY: b"<Error><Code>AccessDenied</Code><Message>Request is not valid yet</Message>",
}


def _lost_in_outage(world: World) -> Exception:
    if world.chance.random() < 0.7:
        return UnreachableError("cannot connect: refused")
    return AnswerLostError("no answer: reset")


def _dealt(world: World, service: str, step: str, deal: Dealer) -> Trouble | None:
    """Deal out trouble; a name that leads astray does so for everybody, and for a while."""
    if world.is_at_peace:
        return None
    if service in world.astray and world.now() < world.astray[service][1]:
        return Trouble(world.astray[service][0])
    trouble = deal(world, step)
    if trouble in _NAMES:
        world.astray[service] = (trouble, world.now() + ASTRAY_S)
    return trouble


class TroubledTransport:
    """The way to the API in a world."""

    def __init__(self, world: World, deal: Dealer) -> None:
        self._world = world
        self._deal = deal
        self._tokens, self._filled_at = 1.0, 0.0

    async def aclose(self) -> None:
        """Let go of nothing."""

    async def send(self, request: Request) -> Answer:
        """Make one attempt."""
        world = self._world
        await world.step()
        world.sent.append((world.now(), "api"))
        if self._is_over_limit():
            await world.travel()
            return Answer(status=429, headers={}, body=b"{}")
        trouble = _dealt(world, "api", step_of(request), self._deal)
        if trouble is Trouble.RIVAL:
            world.studio.forestall(request)
        if trouble is Trouble.STALE_UPLOAD:
            world.studio.begin_elsewhere(request)
        if trouble is Trouble.FORGOTTEN:
            world.studio.forget_unfinished()
        return await _Act(world, lambda: world.studio.answer(request)).meet(trouble)

    def _is_over_limit(self) -> bool:
        limit, now = self._world.requests_per_s, self._world.now()
        if limit is None:
            return False
        self._tokens = min(limit, self._tokens + (now - self._filled_at) * limit)
        self._filled_at = now
        if self._tokens < 1.0:
            return True
        self._tokens -= 1.0
        return False


class TroubledStore(StorageHttp):
    """The way to storage in a world: single attempts, whose answers are judged as real ones are."""

    def __init__(self, world: World, deal: Dealer, *, connections: int) -> None:
        super().__init__(connections=connections)
        self._world = world
        self._deal = deal

    async def _put(
        self,
        url: str,
        body: Body,  # noqa: ARG002 - part of the seam
        content_type: str,  # noqa: ARG002 - part of the seam
        sending: Sending,
        patience: anyio.CancelScope,  # noqa: ARG002 - part of the seam
    ) -> Answer:
        world = self._world
        await world.step()
        world.sent.append((world.now(), "storage"))
        trouble = _dealt(world, "storage", "put", self._deal)
        received = bytearray()
        async for block in sending.blocks(lambda: None):
            if trouble is Trouble.RESET_DURING:
                break
            received += block
        if trouble in _OUT_OF_DATE:
            return Answer(status=403, headers={}, body=_OUT_OF_DATE[trouble])
        act = _Act(world, lambda: world.studio.store(url, bytes(received)))
        answer = await act.meet(trouble)
        if trouble is Trouble.LIE and answer.status == 200:
            return Answer(status=200, headers={"etag": f'"{"0" * 32}"'}, body=b"")
        return answer

    async def get(self, url: str, to: Path, now: datetime) -> int:  # noqa: ARG002
        """Fetch an object to a file."""
        await self._world.travel()
        found = self._world.studio.fetch(url)
        if found is None:
            raise ClientError(f"{STORE_HOST} has no such object", 404)
        await anyio.to_thread.run_sync(to.write_bytes, found)
        return len(found)


def step_of(request: Request) -> str:
    """Name the step of the protocol that a request takes."""
    words: dict[tuple[str, str], str] = {
        ("POST", "initiate-upload"): "initiate",
        ("POST", "confirm-upload"): "confirm",
        ("POST", "cell_specifications"): "create_spec",
        ("POST", "cell_instances"): "create_cell",
        ("GET", "cell_specifications"): "find_spec",
        ("GET", "cell_instances"): "find_cell",
        ("GET", "cell_measurements"): "list",
    }
    parts: list[Any] = request.path.split("/")
    return words.get((request.method, parts[-1]), "poll")
