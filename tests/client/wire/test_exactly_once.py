"""Random trouble at every call: each POST takes effect once, and each task learns of its record."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from bulkload.client.http.caller import Caller
from bulkload.client.http.events import Exchanged
from bulkload.client.http.wire import Answer, Request
from bulkload.errors import AnswerLostError, UnreachableError
from tests.client.wire.scripted import Heard
from tests.simulation.simulated_server import ACCESS
from tests.simulation.virtual_clock import VirtualClock, virtual_run

TASKS = 20
CALLS = 3

#: Before the work is done, or after it: status, headers, body; None breaks the connection.
TROUBLE: list[tuple[int, dict[str, str], bytes] | None] = [
    None,
    (500, {}, b""),
    (502, {}, b"<html>bad gateway</html>"),
    (503, {}, b""),
    (503, {"retry-after": "2"}, b"{}"),
    (429, {"retry-after": "1"}, b"{}"),
    (429, {}, b""),
    (408, {}, b""),
    (200, {}, b"<html>welcome</html>"),
    (200, {}, b'{"id": "trunc'),
    (200, {}, b""),
]
#: What a server may say after it has done the work: it does not say that it has not.
AFTER_WORK = [made for made in TROUBLE if made is None or made[0] in {500, 502, 200, 408}]


@dataclass
class Faulty:
    """A server with records under unique names, and trouble at a rate."""

    dice: random.Random
    fault_rate: float
    records: dict[str, str] = field(default_factory=dict)
    effects: int = 0
    conflicts: int = 0

    async def aclose(self) -> None:
        """Close nothing."""

    async def send(self, request: Request) -> Answer:
        await asyncio.sleep(0.05 * self.dice.random())
        has_trouble = self.dice.random() < self.fault_rate
        if has_trouble and self.dice.random() < 0.5:
            return self._make(self.dice.choice(TROUBLE), nothing_sent=self.dice.random() < 0.5)
        answer = self._work(request)
        await asyncio.sleep(0.05 * self.dice.random())
        return self._make(self.dice.choice(AFTER_WORK)) if has_trouble else answer

    def _work(self, request: Request) -> Answer:
        if request.method == "GET":
            record = self.records.get(request.path.rpartition("/")[2])
            return made(200, {"items": [] if record is None else [record]})
        name = json.loads(request.content or b"")["name"]
        if name in self.records:
            self.conflicts += 1
            return made(409, {"detail": {"existing_id": self.records[name]}})
        self.effects += 1
        self.records[name] = f"id-{name}"
        return made(201, {"id": self.records[name]})

    def _make(
        self, trouble: tuple[int, dict[str, str], bytes] | None, *, nothing_sent: bool = False
    ) -> Answer:
        if trouble is None and nothing_sent:
            raise UnreachableError("refused")
        if trouble is None:
            raise AnswerLostError("reset")
        return Answer(status=trouble[0], headers=trouble[1], body=trouble[2])


def made(status: int, body: Any) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode())


def run(seed: int, fault_rate: float) -> tuple[Faulty, int, int]:
    """Let tasks create records; give the server, the records learnt of, and the requests."""
    server = Faulty(random.Random(seed), fault_rate)
    heard = Heard()
    learnt: dict[str, str] = {}

    async def go() -> None:
        calls = Caller(
            server,
            ACCESS,
            clock=VirtualClock(),
            observer=heard.append,
            chance=random.Random(-seed).random,
            outage_limit_s=3600,
        )

        async def create(name: str) -> None:
            async def look() -> Any:
                items = (await calls.call("GET", f"/records/{name}"))["items"]
                return {"id": items[0]} if items else None

            got = await calls.call("POST", "/records", json={"name": name}, look=look)
            learnt[name] = got["id"]

        async def work(task: int) -> None:
            for at in range(CALLS):
                await create(f"r{task}x{at}")

        async with anyio.create_task_group() as group:
            for task in range(TASKS):
                group.start_soon(work, task)

    virtual_run(go, socket_grace_s=0)
    assert learnt == server.records
    return server, len(learnt), len(heard.of(Exchanged))


@pytest.mark.parametrize("fault_rate", [0.1, 0.4])
@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_lost_each_record_is_made_once(seed: int, fault_rate: float) -> None:
    server, learnt, _ = run(seed, fault_rate)
    assert learnt == server.effects == TASKS * CALLS
    assert server.conflicts == 0  # nothing was even sent twice


def test_at_a_tenth_of_faults_the_server_gets_less_than_a_third_more_requests() -> None:
    requests = sum(run(seed, 0.1)[2] for seed in range(100, 120))
    assert requests <= 1.3 * 20 * TASKS * CALLS
