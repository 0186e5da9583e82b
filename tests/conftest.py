"""What all tests share: the real cycler files, local Studios, and jobs run against them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings

from bulkload.localstudio import LocalStudio, StudioSettings
from tests.jobs import Jobs, StartStudio

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))

if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    # Where nothing may be written beside the sources, every process that a test starts would
    # compile all modules anew: half of the processor time of a worker's start.
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".pytest_cache" / "compiled"))

#: Folders whose tests start no process and upload nothing: `make check` runs them.
FAST = ("core", "sources", "readers", "client/wire")

#: What a shell with a real key may hold: no test but a live one may reach the real service.
AMBIENT = (
    "IONWORKS_API_KEY",
    "IONWORKS_API_TOKEN",
    "IONWORKS_API_URL",
    "IONWORKS_PROJECT_ID",
    "PROJECT_ID",
    "IONWORKS_ORGANIZATION_ID",
    "IONWORKS_DATAFRAME_BACKEND",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the fast folders, and run them last: none keeps a core from its end."""
    folders = [ROOT / "tests" / name for name in FAST]
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker(pytest.mark.fast)
    items.sort(key=lambda item: item.get_closest_marker("fast") is not None)


def pytest_collection_finish() -> None:
    """Spare the search for garbage what is loaded by now: it stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real cycler files; tests that need it skip where it is absent, never in CI."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = f"real cycler files not found at {SHARED_DATA} (set BULKLOAD_SHARED_DATA)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def start_studio(tmp_path: Path) -> Iterator[StartStudio]:
    """Start local Studios, each in a thread of its own loop, with the settings asked for."""
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
def jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Jobs:
    """Run commands in a folder of this test's own; no credentials but a local Studio's."""
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Jobs(folder=tmp_path, environment=monkeypatch, captured=capsys)
