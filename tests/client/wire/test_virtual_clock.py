"""The clock of the tests is itself tested: time passes in order, and never while work is done."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import anyio
import anyio.to_thread
import pytest

from bulkload.clock import SystemClock
from tests.simulation.virtual_clock import EPOCH, VirtualClock, virtual_run


def test_hours_pass_in_no_time_and_in_order() -> None:
    seen: list[tuple[str, float]] = []

    async def main() -> None:
        clock = VirtualClock()

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append((name, clock.monotonic()))

        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, "late", 7200.0)
            group.start_soon(sleeper, "early", 0.25)
            group.start_soon(sleeper, "at once", 0.0)
        assert clock.now() == EPOCH + timedelta(hours=2)

    began = time.monotonic()
    virtual_run(main)
    assert time.monotonic() - began < 5
    assert seen == [("at once", 0.0), ("early", 0.25), ("late", 7200.0)]


def test_deadlines_are_in_virtual_time() -> None:
    async def main() -> float:
        with anyio.move_on_after(3600) as scope:
            await anyio.Event().wait()
        assert scope.cancelled_caught
        return VirtualClock().monotonic()

    assert virtual_run(main) == 3600.0


@pytest.mark.parametrize("way", ["anyio", "asyncio"])
def test_time_stands_still_while_a_thread_works(way: str) -> None:
    async def main() -> float:
        async def other() -> None:
            await asyncio.sleep(1000)

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            if way == "anyio":
                await anyio.to_thread.run_sync(sum, range(10**6))
            else:
                await asyncio.to_thread(sum, range(10**6))
            before = VirtualClock().monotonic()
            group.cancel_scope.cancel()
        return before

    assert virtual_run(main) == 0.0


def test_the_system_clock_moves_and_knows_its_zone() -> None:
    async def main() -> None:
        clock = SystemClock()
        before = clock.monotonic()
        await clock.sleep(-1.0)
        await clock.sleep(0.0)
        assert clock.monotonic() >= before
        assert clock.now().tzinfo is not None

    asyncio.run(main())
