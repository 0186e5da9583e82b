"""A local Studio in a loop of its own, so that every kind of client can talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from bulkload.client.delivery import Delivery
from bulkload.client.studio import AsyncStudio
from bulkload.core.flow.retry import RetryPolicy
from bulkload.localstudio import LocalStudio, StudioSettings

StartStudio = Callable[..., LocalStudio]


@pytest.fixture
def anyio_backend() -> str:
    """aiohttp runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_ambient_credentials(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A shell with a real key must not reach the real service from here."""
    if request.node.get_closest_marker("live"):
        return
    for name in (
        "IONWORKS_API_KEY",
        "IONWORKS_API_TOKEN",
        "IONWORKS_API_URL",
        "IONWORKS_PROJECT_ID",
        "PROJECT_ID",
        "IONWORKS_ORGANIZATION_ID",
        "IONWORKS_DATAFRAME_BACKEND",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start_studio(tmp_path: Path) -> Iterator[StartStudio]:
    """Start local Studios with the settings asked for."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))

        def start(**settings: object) -> LocalStudio:
            folder = tmp_path / f"studio-{len(list(tmp_path.glob('studio-*')))}"
            studio = LocalStudio(StudioSettings(data_dir=folder, **settings))  # type: ignore[arg-type]
            stack.enter_context(portal.wrap_async_context_manager(studio))
            return studio

        yield start


@pytest.fixture
def studio(start_studio: StartStudio) -> LocalStudio:
    """A local Studio with the settings that it comes with."""
    return start_studio()


@pytest.fixture
async def client(studio: LocalStudio) -> AsyncIterator[AsyncStudio]:
    """A client of the local Studio."""
    async with connect(studio) as connected:
        yield connected


def connect(studio: LocalStudio) -> AsyncStudio:
    """Give a client of a local Studio that is not patient: trouble here is over at once."""
    hasty = Delivery(policy=RetryPolicy(base_s=0.01, cap_s=0.1))
    return AsyncStudio(studio.api_key, studio.url, studio.project_id, delivery=hasty)
