"""The event loop of a run: asyncio's own, or uvloop where it is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import anyio
import pytest

from bulkload.engine.loop import loop_options


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_a_run_is_on_uvloop_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    assert anyio.run(kind, backend_options=loop_options()) == "uvloop"


@pytest.mark.parametrize("reason", ["it is not installed", "the system is Windows"])
def test_a_run_is_on_asyncio_elsewhere(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason == "it is not installed":
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    else:
        monkeypatch.setattr(sys, "platform", "win32")
    assert loop_options() == {}
    assert anyio.run(kind, backend_options=loop_options()) == "asyncio"
