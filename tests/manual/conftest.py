"""What the pages' examples find: the sample archive, and a local Studio of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkload.demo import write_archive
from bulkload.localstudio import LocalStudio
from tests.conftest import AMBIENT
from tests.jobs import environment_of
from tests.manual.examples import Page, shell


@pytest.fixture(scope="session")
def sample_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample archive, written once."""
    folder = tmp_path_factory.mktemp("sample") / "archive"
    write_archive(folder)
    return folder


@pytest.fixture
def page(
    request: pytest.FixtureRequest,
    sample_archive: Path,
    studio: LocalStudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Page]:
    """A clean folder with the sample archive in ``archive``, a Studio, and a shell there."""
    folder = tmp_path / "clean"
    shutil.copytree(sample_archive, folder / "archive")
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment_of(studio).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    with shell(folder, environment_of(studio)) as opened:
        yield Page(name=request.node.name, folder=folder, shell=opened)
