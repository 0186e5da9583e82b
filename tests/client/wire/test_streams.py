"""Uploads side by side on simulated links: as many as pay, and no more."""

from __future__ import annotations

import random

import anyio
import pytest

from bulkload.client.http.events import LevelChanged
from bulkload.client.storage.streams import StreamLimiter
from tests.client.wire.scripted import Heard
from tests.simulation.virtual_clock import VirtualClock, virtual_run

MIB = 1024**2


class Link:
    """A link of so many bytes a second, shared evenly; a stream alone gets no more than its own."""

    def __init__(self, link: float, stream: float, *, first_byte_s: float = 0.05) -> None:
        self._link = link
        self._stream = stream
        self._first_byte_s = first_byte_s
        self._active = 0
        self._dice = random.Random(5)
        self.moved = 0.0

    async def upload(self, limiter: StreamLimiter, size_bytes: float) -> None:
        async with limiter.slot():
            await anyio.sleep(self._first_byte_s * self._dice.uniform(0.5, 1.5))
            self._active += 1
            left = size_bytes * self._dice.uniform(0.5, 1.5)
            while left > 0:
                speed = min(self._stream, self._link / self._active)
                step = min(left, max(MIB / 4, speed / 10))
                await anyio.sleep(step / speed)
                left -= step
                self.moved += step
                limiter.moved(int(step))
            self._active -= 1


@pytest.mark.parametrize(
    ("link", "stream", "size", "streams"),
    [
        (100, 9, 27, range(11, 40)),  # as the vendor's storage: 9 MiB/s a stream
        (100, 9, 0.3, range(30, 65)),  # small files: the answer takes longer than the bytes
        (2, 9, 5, range(1, 9)),  # a thin uplink
        (9, 9, 27, range(1, 9)),  # one stream fills it
    ],
)
def test_the_plateau_is_found(link: float, stream: float, size: float, streams: range) -> None:
    heard = Heard()

    async def run() -> tuple[float, int]:
        line = Link(link * MIB, stream * MIB)
        limiter = StreamLimiter(64, clock=VirtualClock(), observer=heard.append)

        async def work() -> None:
            while True:
                await line.upload(limiter, size * MIB)

        async with anyio.create_task_group() as group:
            for _ in range(80):
                group.start_soon(work)
            await anyio.sleep(40)
            before = line.moved
            await anyio.sleep(80)
            group.cancel_scope.cancel()
        return (line.moved - before) / 80 / MIB, int(limiter.limit)

    goodput, limit = virtual_run(run, socket_grace_s=0)
    assert goodput >= 0.9 * link
    assert limit in streams
    assert len(heard.of(LevelChanged)) <= 20  # it settles


def test_a_store_that_cannot_keep_up_gets_fewer_streams() -> None:
    heard = Heard()

    async def run() -> int:
        limiter = StreamLimiter(16, clock=VirtualClock(), observer=heard.append)
        for _ in range(3):
            limiter.timed_out("524")
            await anyio.sleep(20)
        return limiter.limit

    assert virtual_run(run, socket_grace_s=0) == 1
    assert [event.reason for event in heard.of(LevelChanged)] == ["524", "524"]
