"""Figures of delivery: a rate limit, an outage, interrupted uploads. Prints one table.

``python scripts/wire_figures.py`` prints the figures of scripts/RESULTS.md; ``--short`` is quick.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.to_thread
from aiohttp import web

from bulkload.client.http.caller import Caller
from bulkload.client.storage.storage import Storage
from tests.simulation.simulated_server import (
    ACCESS,
    Admit,
    SimulatedServer,
    per_second_window,
    sliding_second,
    token_bucket,
)
from tests.simulation.virtual_clock import VirtualClock, virtual_run

TASKS = 96
LIMIT = 50
SETTLED_S = 30.0
AWAY_S = (60.0, 660.0)
SIZE_BYTES = 300_000


def drive(server: SimulatedServer, *, end_s: float, pause_s: float = 0.0) -> int:
    """Let tasks call until ``end_s`` of virtual time; give the number of calls that succeeded."""
    delivered = 0

    async def run() -> None:
        nonlocal delivered
        caller = Caller(
            server,
            ACCESS,
            clock=VirtualClock(),
            chance=random.Random(3).random,
            outage_limit_s=3600.0,
        )

        async def work() -> None:
            nonlocal delivered
            while VirtualClock().monotonic() < end_s:
                await caller.call("GET", "/cell_measurements/m1")
                delivered += 1
                await anyio.sleep(pause_s)

        async with anyio.create_task_group() as group:
            for _ in range(TASKS):
                group.start_soon(work)

    virtual_run(run, socket_grace_s=0)
    return delivered


def rate_limit(name: str, admit: Admit, end_s: float) -> str:
    """Measure how much of a server's limit is used once settled."""
    server = SimulatedServer(admit, retry_after="1")
    drive(server, end_s=end_s)
    served, refused = server.between(SETTLED_S, end_s)
    used = served / (end_s - SETTLED_S) / LIMIT
    return (
        f"server limited to {LIMIT}/s, {name}: {used:.0%} of the limit used,"
        f" {refused / (served + refused):.2%} of requests answered 429"
    )


def outage() -> str:
    """Measure what a server that is gone for ten minutes still gets."""
    server = SimulatedServer(away=AWAY_S)
    delivered = drive(server, end_s=AWAY_S[1] + 60.0, pause_s=1.0)
    lost = sum(is_served for _, is_served in server.log) - delivered
    away = Counter(int(now) for now, _ in server.log if AWAY_S[0] + 1 <= now < AWAY_S[1])
    back = min(now for now, is_served in server.log if now >= AWAY_S[1] and is_served)
    return (
        f"outage of ten minutes, {TASKS} tasks: {lost} calls lost, at most"
        f" {max(away.values())} request a second and {sum(away.values())} in all while it was"
        f" gone, back {back - AWAY_S[1]:.1f} s after it was"
    )


@asynccontextmanager
async def breaking_store(
    dice: random.Random,
) -> AsyncIterator[tuple[str, dict[str, str], list[int]]]:
    """Serve a store that breaks every other upload somewhere in the body."""
    stored: dict[str, str] = {}
    broken = [0]

    async def put(request: web.Request) -> web.StreamResponse:
        body = bytearray()
        cut = dice.randrange(SIZE_BYTES) if dice.random() < 0.5 else None
        while chunk := await request.content.readany():
            body += chunk
            if cut is not None and len(body) >= cut and request.transport is not None:
                broken[0] += 1
                request.transport.abort()
                return web.Response()
        stored[request.path] = hashlib.sha256(body).hexdigest()
        return web.Response()

    app = web.Application()
    app.router.add_put("/{name}", put)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", stored, broken
    finally:
        await runner.cleanup()


def interrupted_puts(count: int, folder: Path) -> str:
    """Upload files to a store that breaks connections; compare the hashes."""
    dice = random.Random(11)
    expected: dict[str, str] = {}

    async def run() -> str:
        async with (
            breaking_store(dice) as (url, stored, broken),
            Storage(clock=VirtualClock(), chance=dice.random, outage_limit_s=3600.0) as storage,
        ):
            waiting = iter(range(count))

            async def work() -> None:
                for at in waiting:
                    path = folder / f"{at}.parquet"
                    content = dice.randbytes(SIZE_BYTES)
                    await anyio.to_thread.run_sync(path.write_bytes, content)
                    expected[f"/{at}"] = hashlib.sha256(content).hexdigest()
                    await storage.put(f"{url}/{at}", path)

            async with anyio.create_task_group() as group:
                for _ in range(16):
                    group.start_soon(work)
            right = sum(stored.get(name) == sha256 for name, sha256 in expected.items())
            return (
                f"{count} uploads, {broken[0]} connections broken in mid-body:"
                f" {right} stored with the right SHA-256"
            )

    return virtual_run(run)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="less virtual time, fewer uploads")
    is_short = parser.parse_args().short
    servers: dict[str, Callable[[int], Admit]] = {
        "counted by the second": per_second_window,
        "in any second": sliding_second,
        "with 50 saved up": lambda limit: token_bucket(limit, 50),
    }
    for name, make in servers.items():
        print(rate_limit(name, make(LIMIT), 90.0 if is_short else 600.0))
    print(outage())
    with TemporaryDirectory() as folder:
        print(interrupted_puts(50 if is_short else 1000, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
