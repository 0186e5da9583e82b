"""A real Studio on loopback for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bulkload.localstudio import LocalStudio, StudioSettings
from tests.localstudio.support import Api, OpenApi


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def open_api(tmp_path: Path) -> AsyncIterator[OpenApi]:
    """Start Studios with the settings that a test asks for."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        # aiohttp repeats an idempotent request by itself where a connection dies.
        session._retry_connection = False

        async def start(**settings: Any) -> Api:
            folder = settings.pop("data_dir", tmp_path / "studio")
            studio = LocalStudio(StudioSettings(data_dir=folder, **settings))
            return Api(await stack.enter_async_context(studio), session)

        yield start


@pytest.fixture
async def api(open_api: OpenApi) -> Api:
    """A Studio with the default settings."""
    opened: Api = await open_api()
    return opened
