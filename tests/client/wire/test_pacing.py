"""The caller finds what a server takes, and stays there: minutes of traffic in virtual time."""

from __future__ import annotations

import random

import anyio
import pytest

from bulkload.client.http.caller import Caller
from bulkload.client.http.events import LevelChanged
from tests.client.wire.scripted import Heard
from tests.simulation.simulated_server import (
    ACCESS,
    Admit,
    SimulatedServer,
    per_second_window,
    sliding_second,
    token_bucket,
)
from tests.simulation.virtual_clock import VirtualClock, virtual_run

LIMIT = 50
SETTLED_AFTER_S = 30.0
END_S = 150.0


def drive(server: SimulatedServer, *, tasks: int, end_s: float = END_S) -> Heard:
    """Let that many tasks call as fast as they may; give what the caller told."""
    heard = Heard()

    async def run() -> None:
        caller = Caller(
            server,
            ACCESS,
            clock=VirtualClock(),
            observer=heard.append,
            chance=random.Random(3).random,
        )

        async def work() -> None:
            while True:
                await caller.call("GET", "/cell_measurements/m1")

        with anyio.move_on_after(end_s):
            async with anyio.create_task_group() as group:
                for _ in range(tasks):
                    group.start_soon(work)

    virtual_run(run, socket_grace_s=0)
    return heard


@pytest.mark.parametrize(
    ("admit", "retry_after", "latency_s"),
    [
        (per_second_window(LIMIT), "1", 0.05),
        (per_second_window(LIMIT), None, 0.05),
        (sliding_second(LIMIT), "1", 0.05),
        (token_bucket(LIMIT, 10), "1", 0.005),
        (token_bucket(LIMIT, 50), "1", 0.05),
        (token_bucket(LIMIT, 10), "1", 0.5),
    ],
)
def test_a_server_limited_to_fifty_a_second_is_used_to_nine_tenths(
    admit: Admit, retry_after: str | None, latency_s: float
) -> None:
    server = SimulatedServer(admit, latency_s=latency_s, retry_after=retry_after)
    heard = drive(server, tasks=96)
    served, refused = server.between(SETTLED_AFTER_S, END_S)
    assert served / (END_S - SETTLED_AFTER_S) >= 0.9 * LIMIT
    assert refused < 0.05 * (served + refused)
    assert {event.level for event in heard.of(LevelChanged)} == {"rate", "window"}


def test_a_server_without_a_limit_gets_the_whole_window() -> None:
    server = SimulatedServer(latency_s=0.05)
    drive(server, tasks=96, end_s=3.0)
    served, _ = server.between(1.0, 3.0)
    assert served / 2.0 >= 0.9 * 64 / 0.05


def test_a_few_tasks_do_not_open_a_large_window() -> None:
    """An idle client that suddenly has work must not meet the server with all of it at once."""
    server = SimulatedServer(latency_s=0.05)
    heard = Heard()

    async def run() -> None:
        caller = Caller(server, ACCESS, clock=VirtualClock(), observer=heard.append)
        for _ in range(500):
            await caller.call("GET", "/a")
        before = len(server.log)
        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(caller.call, "GET", "/a")
            await anyio.sleep(0.03)
            assert len(server.log) - before <= 8

    virtual_run(run, socket_grace_s=0)


def test_a_limit_that_falls_and_rises_is_followed() -> None:
    slow, fast = sliding_second(10), sliding_second(LIMIT)

    def admit(now: float) -> bool:
        return (slow if 40 <= now < 100 else fast)(now)

    server = SimulatedServer(admit, retry_after="1")
    drive(server, tasks=96, end_s=280.0)
    served, refused = server.between(60.0, 100.0)
    assert served / 40 >= 7
    assert refused < 0.05 * (served + refused)
    served, _ = server.between(240.0, 280.0)
    assert served / 40 >= 0.8 * LIMIT
