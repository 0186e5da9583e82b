"""A thing is done once, however many ask for it, and its answer is remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from bulkload.engine.single_flight import SingleFlight
from bulkload.errors import ConflictError, UnavailableError
from tests.simulation.virtual_clock import virtual_run


class Acts:
    """Acts that take a second each, in virtual time."""

    def __init__(self, *ends: str | Exception) -> None:
        self._ends = list(ends)
        self.count = 0

    async def __call__(self) -> str:
        """Act, and end as the next one is to end."""
        self.count += 1
        end = self._ends.pop(0)
        await anyio.sleep(1.0)
        if isinstance(end, Exception):
            raise end
        return end


async def together(flight: SingleFlight, key: str, act: Acts, count: int) -> list[str]:
    """Have so many ask at the same time; return their answers, and the words of their errors."""
    found: list[str] = []

    async def ask() -> None:
        try:
            found.append(await flight.get(key, act))
        except (ConflictError, UnavailableError) as error:
            found.append(error.message)

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(ask)
    return found


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def started() -> None:
        await main()

    virtual_run(started, socket_grace_s=0.0)


def test_many_ask_at_once_and_one_acts() -> None:
    async def main() -> None:
        flight, act, other = SingleFlight(9), Acts("id-1"), Acts("id-2")
        assert await together(flight, "a", act, 5) == 5 * ["id-1"]
        assert await together(flight, "a", act, 1) == ["id-1"]
        assert await together(flight, "b", other, 2) == 2 * ["id-2"]
        assert (act.count, other.count) == (1, 1)
        assert (flight.known("a"), flight.known("c")) == ("id-1", None)

    run(main)


def test_a_terminal_error_is_an_answer_and_a_transient_one_is_none() -> None:
    async def main() -> None:
        flight, act = SingleFlight(9), Acts(ConflictError("taken", 409))
        assert await together(flight, "a", act, 3) == 3 * ["taken"]
        assert await together(flight, "a", act, 1) == ["taken"]
        assert act.count == 1
        act = Acts(UnavailableError("busy", 503), "id-1")
        assert await together(flight, "b", act, 2) == ["busy", "id-1"]
        assert act.count == 2

    run(main)


@pytest.mark.parametrize("end", ["id", ConflictError("taken", 409)])
def test_the_oldest_answers_are_forgotten(end: str | Exception) -> None:
    async def main() -> None:
        flight, act = SingleFlight(2), Acts(*4 * [end])
        for key in ("a", "b", "c", "b", "c", "a"):
            await together(flight, key, act, 1)
        assert act.count == 4
        assert not flight._locks

    run(main)


def test_what_is_learned_elsewhere_is_not_asked_for() -> None:
    async def main() -> None:
        flight, act = SingleFlight(1), Acts()
        flight.remember("a", "id-1")
        assert await together(flight, "a", act, 2) == 2 * ["id-1"]
        flight.remember("b", "id-2")
        assert flight.known("a") is None

    run(main)
