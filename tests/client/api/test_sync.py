"""The synchronous face: the same names and arguments, one implementation, nothing left open."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bulkload.client import sync
from bulkload.client.api.cell_batch import AsyncCellBatchClient
from bulkload.client.api.cell_instance import AsyncCellInstanceClient
from bulkload.client.api.cell_measurement import AsyncCellMeasurementClient
from bulkload.client.api.cell_spec import AsyncCellSpecClient
from bulkload.client.api.project import AsyncProjectClient
from bulkload.client.api.raw_data import AsyncRawDataClient
from bulkload.client.portal import Proxied
from bulkload.client.studio import AsyncStudio
from bulkload.client.sync import Studio
from bulkload.errors import SettingsError
from bulkload.localstudio import LocalStudio
from tests.client.api.samples import SPEC

PAIRS = [
    (sync.ProjectClient, AsyncProjectClient),
    (sync.CellSpecClient, AsyncCellSpecClient),
    (sync.CellBatchClient, AsyncCellBatchClient),
    (sync.CellInstanceClient, AsyncCellInstanceClient),
    (sync.CellMeasurementClient, AsyncCellMeasurementClient),
    (sync.RawDataClient, AsyncRawDataClient),
    (sync.Studio, AsyncStudio),
]

#: What only one of the two faces can have, or what is for our own pipeline.
ONE_FACE_ONLY = {
    "aclose",
    "allow_connections",
    "close",
    "properties_creation",
    "resolve_conflict",
}


def connect(studio: LocalStudio) -> Studio:
    return Studio(studio.api_key, studio.url, studio.project_id)


@pytest.mark.parametrize(("face", "original"), PAIRS, ids=lambda pair: pair.__name__)
def test_every_call_has_its_twin(face: type, original: type) -> None:
    def calls(kind: type) -> set[str]:
        return {
            name
            for name, member in inspect.getmembers(kind)
            if not name.startswith("_") and (callable(member) or hasattr(member, "__get__"))
        } - ONE_FACE_ONLY

    assert calls(face) == calls(original)


@pytest.mark.parametrize(("face", "original"), PAIRS, ids=lambda pair: pair.__name__)
def test_arguments_and_words_are_those_of_the_original(face: type, original: type) -> None:
    for name, member in inspect.getmembers(original, inspect.isfunction):
        if name.startswith("_") or name in ONE_FACE_ONLY:
            continue
        bound = getattr(object.__new__(face), name)
        assert inspect.signature(bound, follow_wrapped=True) == inspect.signature(member), name
        assert bound.__doc__ == member.__doc__
    assert issubclass(face, Proxied)


def test_constructors_take_the_same() -> None:
    assert inspect.signature(Studio) == inspect.signature(AsyncStudio)


def test_a_list_is_fetched_as_it_is_read(studio: LocalStudio) -> None:
    with connect(studio) as client:
        spec = client.cell_spec.create(SPEC)
        for number in range(205):
            client.cell_instance.create(spec.id, {"name": f"cell {number:03}"})
        cells = client.cell_instance.list(spec.id, order_by="name", order="asc")

        def pages() -> int:
            return studio.requests.by_endpoint["instance.list"]

        assert pages() == 0
        assert cells
        assert cells[99].name == "cell 099"
        assert (cells.total, pages()) == (205, 1)
        assert cells[100].name == "cell 100"
        assert pages() == 2
        assert len(cells) == cells.count == len(cells.items) == 205
        assert [cell.name for cell in cells][-1] == cells[-1].name == "cell 204"
        assert [cell.name for cell in cells[:2]] == ["cell 000", "cell 001"]
        assert pages() == 3
        with pytest.raises(IndexError):
            cells[205]
        assert not client.cell_instance.list(spec.id, name_exact="none")


def test_a_client_that_is_dropped_ends_its_thread(studio: LocalStudio) -> None:
    before = threading.active_count()
    client = connect(studio)
    specs = client.cell_spec
    assert specs.list().items == []
    del client
    gc.collect()
    assert specs.list().items == []
    del specs
    gc.collect()
    assert threading.active_count() <= before


def test_closing_twice_is_once_and_a_closed_client_says_so(studio: LocalStudio) -> None:
    client = connect(studio)
    client.whoami()
    client.close()
    client.close()
    with pytest.raises(RuntimeError):
        client.whoami()


def test_a_program_that_never_closes_ends_all_the_same(studio: LocalStudio, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, bulkload.client.sync as sync\n"
        "client = sync.Studio(*sys.argv[1:])\n"
        "print(client.whoami()['email'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", program, studio.api_key, studio.url, studio.project_id],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "@" in done.stdout


def test_an_import_stays_light() -> None:
    program = (
        "import sys, bulkload;"
        "print([m for m in ('aiohttp', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_credentials_are_found_as_the_official_client_finds_them(
    studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="IONWORKS_API_KEY"):
        Studio()
    monkeypatch.setenv("IONWORKS_API_TOKEN", "expired")
    monkeypatch.setenv("IONWORKS_API_URL", f"{studio.url}/")
    monkeypatch.setenv("PROJECT_ID", "older")
    with pytest.warns(DeprecationWarning, match="IONWORKS_PROJECT_ID"):
        client = Studio(studio.api_key)
    with client:
        assert client.project_id == "older"
        assert "email" in client.whoami()
        assert studio.api_key not in repr(client)
    monkeypatch.setenv("IONWORKS_PROJECT_ID", studio.project_id)
    monkeypatch.setenv("IONWORKS_API_TOKEN", studio.api_token)
    monkeypatch.setenv("IONWORKS_API_KEY", "wrong")
    with Studio(timeout=5, max_retries=1) as client:
        assert client.project_id == studio.project_id
        assert "email" in client.whoami()


def test_a_backend_that_there_is_not_is_told(studio: LocalStudio) -> None:
    with pytest.raises(ValueError, match="polars"):
        Studio(studio.api_key, studio.url, dataframe_backend="excel")


def test_without_a_project_the_call_says_where_to_name_one(studio: LocalStudio) -> None:
    with (
        Studio(studio.api_key, studio.url) as client,
        pytest.raises(ValueError, match="IONWORKS_PROJECT_ID"),
    ):
        client.cell_spec.create(SPEC)
