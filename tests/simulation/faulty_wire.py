"""The wire of a simulation: requests and bodies meet the faults that are injected."""

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
#: Seconds for which a name leads to the wrong machine.
MISDIRECTED_S: Final = 20.0

_HTML: Final = Answer(
    status=200,
    headers={"content-type": "text/html"},
    body=b"<!DOCTYPE html><html><body>Please sign in to the network</body></html>",
)


class Fault(StrEnum):
    """What may happen to a request."""

    REFUSED = "refused"
    RESET_BEFORE = "reset_before"
    RESET_DURING = "reset_during"
    RESET_AFTER = "reset_after"
    SILENCE_BEFORE = "silence_before"
    SILENCE_AFTER = "silence_after"
    #: No answer comes in time, and the request is carried out later.
    LATE = "late"
    TRUNCATED = "truncated"
    HTML = "html"
    HTML_AFTER = "html_after"
    DUPLICATE = "duplicate"
    #: The name of the service is not known for a while, leads to a machine that drops what it is
    #: sent, or to another server.
    NAME_UNKNOWN = "name_unknown"
    NAME_TO_NO_HOST = "name_to_no_host"
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
    #: What an answer means, and no accident: injected in the matrix only.
    EARLY = "early"
    QUOTA = "quota"
    CHANNEL = "channel"
    RIVAL = "rival"
    STALE_UPLOAD = "stale_upload"
    FORGOTTEN = "forgotten"
    #: A 409 that names the record of another cell that has the same name.
    NAMESAKE = "namesake"
    #: The engine dies with the request on its way: injected by who kills it.
    CRASH = "crash"


#: Status, text of Retry-After, and whether the work was done before.
_STATUSES: Final[dict[Fault, tuple[int, str | None, bool]]] = {
    Fault.S408: (408, None, False),
    Fault.S413: (413, "1", False),
    Fault.S429: (429, None, False),
    Fault.S429_SECONDS: (429, "2", False),
    Fault.S429_DATE: (429, "date", False),
    Fault.S429_ABSURD: (429, "99999999", False),
    Fault.S500: (500, None, False),
    Fault.S500_AFTER: (500, None, True),
    Fault.S502: (502, None, False),
    Fault.S503: (503, None, False),
    Fault.S503_SECONDS: (503, "2", False),
    Fault.S504: (504, None, False),
    Fault.S504_AFTER: (504, None, True),
    Fault.S524: (524, None, False),
}

#: Faults that are answers with a meaning.
MEANT: Final = frozenset(
    {
        Fault.EARLY,
        Fault.QUOTA,
        Fault.CHANNEL,
        Fault.RIVAL,
        Fault.STALE_UPLOAD,
        Fault.FORGOTTEN,
        Fault.NAMESAKE,
        Fault.CRASH,
    }
)
#: Faults that only one of the two services knows.
STORE_ONLY: Final = frozenset({Fault.RESET_DURING, Fault.EXPIRED, Fault.LIE, Fault.SLOW_BODY})
API_ONLY: Final = frozenset(
    {Fault.S413, Fault.S429_DATE, Fault.S429_ABSURD, Fault.TRUNCATED, Fault.LATE}
)
FOR_API: Final = tuple(kind for kind in Fault if kind not in STORE_ONLY | MEANT)
FOR_STORE: Final = tuple(kind for kind in Fault if kind not in API_ONLY | MEANT)

#: Chooses the fault of a request, by its step of the protocol; None for none.
FaultInjector = Callable[[World, str], Fault | None]


def inject_by_chance(world: World, step: str) -> Fault | None:
    """Choose among all kinds of fault alike, at the world's rate."""
    if world.chance.random() >= world.fault_rate:
        return None
    return world.chance.choice(FOR_STORE if step == "put" else FOR_API)


@dataclass(slots=True)
class _Act:
    """What a request does when it arrives; it may arrive more than once."""

    world: World
    work: Callable[[], Answer]

    async def meet(self, fault: Fault | None) -> Answer:
        """Carry out the act under a fault: return the answer, or raise what stands for none."""
        world = self.world
        if fault is Fault.NAME_TO_NO_HOST:
            await asyncio.sleep(CONNECT_PATIENCE_S)
            await world.step()
            raise UnreachableError("cannot connect: timed out")
        number = world.sets_out(self.work)
        try:
            await world.travel()
            await world.step()
            if world.is_out():
                raise _lost_in_outage(world)
            if fault is Fault.LATE:
                loop = asyncio.get_running_loop()
                loop.call_later(PATIENCE_S + world.chance.uniform(0.0, 30.0), self.work)
        finally:
            world.has_arrived(number)
        answer = self._answered(fault)
        await world.step()
        if fault in _TIMES_OUT:
            await asyncio.sleep(_TIMES_OUT[fault])
            lost = AnswerLostError("no answer: timed out")
            lost.cause = TIMED_OUT
            raise lost
        await world.travel()
        await world.step()
        return answer

    def _answered(self, fault: Fault | None) -> Answer:
        if fault in _ANSWERS:
            return _ANSWERS[fault]
        match fault:
            case None | Fault.LIE | Fault.CRASH:
                return self.work()
            case Fault.RIVAL | Fault.STALE_UPLOAD | Fault.FORGOTTEN | Fault.NAMESAKE:
                return self.work()
            case Fault.REFUSED | Fault.NAME_UNKNOWN | Fault.TLS:
                raise UnreachableError(f"cannot connect: {fault}")
            case Fault.RESET_BEFORE | Fault.RESET_DURING:
                raise AnswerLostError("no answer: reset")
            case Fault.RESET_AFTER:
                self.work()
                raise AnswerLostError("no answer: reset")
            case Fault.SILENCE_AFTER | Fault.SLOW_ANSWER | Fault.HTML_AFTER:
                self.work()
                return _HTML
            case Fault.DUPLICATE:
                self.work()
                return self.work()
            case Fault.TRUNCATED:
                self.work()
                raise AnswerLostError("no answer: the answer broke off")
        return self._status(*_STATUSES[fault])

    def _status(self, status: int, retry_after: str | None, was_done: bool) -> Answer:  # noqa: FBT001
        if was_done:
            self.work()
        if retry_after == "date":
            moment = EPOCH + timedelta(seconds=self.world.now() + 2.0)
            retry_after = format_datetime(moment, usegmt=True)
        headers = {} if retry_after is None else {"retry-after": retry_after}
        return Answer(status=status, headers=headers, body=b"<html>error</html>")


#: What is answered without any work; the slow ones time out before their answer.
_ANSWERS: Final[dict[Fault | None, Answer]] = {
    Fault.SILENCE_BEFORE: _HTML,
    Fault.LATE: _HTML,
    Fault.SLOW_BODY: _HTML,
    Fault.HTML: _HTML,
    Fault.NAME_TO_OTHER: Answer(
        status=404,
        headers={"content-type": "text/html"},
        body=b"<html><head><title>404 Not Found</title></head></html>",
    ),
    Fault.QUOTA: Answer(status=403, headers={}, body=b'{"message": "quota exceeded"}'),
    Fault.CHANNEL: Answer(
        status=409,
        headers={},
        body=b'{"error_code": "CONFLICT", "message": "overlaps on channel 3"}',
    ),
}
#: Seconds until the engine's patience with it ends.
_TIMES_OUT: Final[dict[Fault | None, float]] = {
    Fault.SILENCE_BEFORE: PATIENCE_S,
    Fault.SILENCE_AFTER: PATIENCE_S,
    Fault.LATE: PATIENCE_S,
    Fault.SLOW_BODY: PATIENCE_S,
    Fault.SLOW_ANSWER: WHOLE_PATIENCE_S,
}
_NAMES: Final = frozenset({Fault.NAME_UNKNOWN, Fault.NAME_TO_NO_HOST, Fault.NAME_TO_OTHER})
#: What a store says of a URL that its clock does not find valid: one is behind, one ahead.
_OUT_OF_DATE: Final[dict[Fault | None, bytes]] = {
    Fault.EXPIRED: b'{"message": "\\"exp\\" claim failed"}',
    Fault.EARLY: b"<Error><Code>AccessDenied</Code><Message>Request is not valid yet</Message>",
}


def _lost_in_outage(world: World) -> Exception:
    if world.chance.random() < 0.7:
        return UnreachableError("cannot connect: refused")
    return AnswerLostError("no answer: reset")


def _choose(world: World, service: str, step: str, inject: FaultInjector) -> Fault | None:
    """Choose the fault of a request; a misdirected name stays so for all requests for a while."""
    if world.faults_are_over:
        return None
    if service in world.misdirected and world.now() < world.misdirected[service][1]:
        return Fault(world.misdirected[service][0])
    fault = inject(world, step)
    if fault in _NAMES:
        world.misdirected[service] = (fault, world.now() + MISDIRECTED_S)
    return fault


class FaultyTransport:
    """The way to the API in a world."""

    def __init__(self, world: World, inject: FaultInjector) -> None:
        self._world = world
        self._inject = inject
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
        fault = _choose(world, "api", step_of(request), self._inject)
        if fault is Fault.RIVAL:
            world.studio.forestall(request)
        if fault is Fault.STALE_UPLOAD:
            world.studio.begin_elsewhere(request)
        if fault is Fault.FORGOTTEN:
            world.studio.forget_unfinished()
        studio = world.studio
        answer = studio.answer_with_namesake if fault is Fault.NAMESAKE else studio.answer
        return await _Act(world, lambda: answer(request)).meet(fault)

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


class FaultyStore(StorageHttp):
    """The way to storage in a world: single attempts, whose answers are judged as real ones are."""

    def __init__(self, world: World, inject: FaultInjector, *, connections: int) -> None:
        super().__init__(connections=connections)
        self._world = world
        self._inject = inject

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
        fault = _choose(world, "storage", "put", self._inject)
        received = bytearray()
        async for block in sending.blocks(lambda: None):
            if fault is Fault.RESET_DURING:
                break
            received += block
        if fault in _OUT_OF_DATE:
            return Answer(status=403, headers={}, body=_OUT_OF_DATE[fault])
        act = _Act(world, lambda: world.studio.store(url, bytes(received)))
        answer = await act.meet(fault)
        if fault is Fault.LIE and answer.status == 200:
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
    steps: dict[tuple[str, str], str] = {
        ("POST", "initiate-upload"): "initiate",
        ("POST", "confirm-upload"): "confirm",
        ("POST", "initiate-extend"): "extend",
        ("POST", "confirm-extend"): "confirm_extend",
        ("POST", "cell_specifications"): "create_spec",
        ("POST", "cell_instances"): "create_cell",
        ("GET", "cell_specifications"): "find_spec",
        ("GET", "cell_instances"): "find_cell",
        ("GET", "cell_measurements"): "list",
    }
    parts: list[Any] = request.path.split("/")
    return steps.get((request.method, parts[-1]), "poll")
