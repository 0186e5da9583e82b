"""A server that is gone: everybody waits, one looks, nothing is lost; hours in virtual time."""

from __future__ import annotations

import random
from collections import Counter

import anyio
import pytest

from bulkload.client.http.caller import Caller
from bulkload.client.http.events import OutOfReach, Recovered
from bulkload.client.http.transport import HttpTransport
from bulkload.errors import OutageError, TerminalError
from tests.client.wire.scripted import Heard, answer, in_virtual_time, scripted
from tests.simulation.simulated_server import ACCESS, SimulatedServer
from tests.simulation.virtual_clock import VirtualClock, virtual_run

BEGIN_S, END_S = 60.0, 660.0


def caller(server: SimulatedServer, heard: Heard, limit_s: float) -> Caller:
    return Caller(
        server,
        ACCESS,
        clock=VirtualClock(),
        observer=heard.append,
        chance=random.Random(3).random,
        outage_limit_s=limit_s,
    )


@pytest.mark.parametrize("status", [None, 502, 503])
@pytest.mark.parametrize("tasks", [1, 96])
def test_ten_minutes_without_a_server_lose_nothing_and_cost_one_request_a_second(
    status: int | None, tasks: int
) -> None:
    server = SimulatedServer(away=(BEGIN_S, END_S), away_status=status)
    heard = Heard()
    delivered = 0

    async def run() -> None:
        nonlocal delivered
        calls = caller(server, heard, limit_s=3600)

        async def work() -> None:
            nonlocal delivered
            while VirtualClock().monotonic() < END_S + 60:
                await calls.call("GET", "/cell_measurements/m1")
                delivered += 1
                await anyio.sleep(1)

        async with anyio.create_task_group() as group:
            for _ in range(tasks):
                group.start_soon(work)

    virtual_run(run, socket_grace_s=0)
    assert delivered == sum(is_served for _, is_served in server.log)
    # What was on its way when the server went is not counted: it was sent before.
    away = [now for now, _ in server.log if BEGIN_S + 5 <= now < END_S]
    assert max(Counter(int(now) for now in away).values()) == 1
    assert len(away) <= (END_S - BEGIN_S) / 10
    back = [now for now, is_served in server.log if now >= END_S and is_served]
    assert min(back) < END_S + 16
    (recovered,) = heard.of(Recovered)
    assert 590 < recovered.seconds < 620
    notices = [event.seconds for event in heard.of(OutOfReach)]
    assert 10 <= len(notices) <= 11  # once a minute
    served, _ = server.between(END_S + 20, END_S + 60)
    assert served >= 0.7 * 40 * tasks  # and it goes on at full speed


def test_after_the_limit_every_call_ends_with_the_same_terminal_error() -> None:
    server = SimulatedServer(away=(0.0, 1e9))
    heard = Heard()
    errors: list[BaseException] = []

    async def run() -> None:
        calls = caller(server, heard, limit_s=3600)

        async def work() -> None:
            try:
                await calls.call("GET", "/a")
            except OutageError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(work)
        assert 3600 <= VirtualClock().monotonic() < 3620

    virtual_run(run, socket_grace_s=0)
    assert len(errors) == 20
    assert all(isinstance(error, TerminalError) for error in errors)
    assert "refused" in str(errors[0])


def test_a_client_that_lives_on_finds_the_server_again() -> None:
    server = SimulatedServer(away=(0.0, 1000.0))

    async def run() -> None:
        calls = caller(server, Heard(), limit_s=60)
        with pytest.raises(OutageError):
            await calls.call("GET", "/a")
        with pytest.raises(OutageError):
            await calls.call("GET", "/a")
        await anyio.sleep(1000)
        assert await calls.call("GET", "/a") == {}

    virtual_run(run, socket_grace_s=0)


def test_a_probe_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    server = SimulatedServer(away=(0.0, 100.0))
    done: list[str] = []

    async def run() -> None:
        calls = caller(server, Heard(), limit_s=3600)

        async def work(name: str) -> None:
            await calls.call("GET", "/a")
            done.append(name)

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as doomed:
                async with anyio.create_task_group() as inner:
                    inner.start_soon(work, "cancelled")
                    await anyio.sleep(30)
                    group.start_soon(work, "waiting")
                    await anyio.sleep(30)
                    doomed.cancel()

    virtual_run(run, socket_grace_s=0)
    assert done == ["waiting"]


@in_virtual_time
async def test_a_real_port_that_nobody_listens_on_is_an_outage() -> None:
    async with scripted(answer()) as server:
        access = server.access
    heard = Heard()
    async with HttpTransport(access) as http:
        calls = Caller(
            http,
            access,
            clock=VirtualClock(),
            observer=heard.append,
            chance=lambda: 0.5,
            outage_limit_s=120,
        )
        with pytest.raises(OutageError, match=r"unreachable for 12\d s"):
            await calls.call("POST", "/a", json={})
    assert [round(event.seconds / 60) for event in heard.of(OutOfReach)] == [0, 1]
