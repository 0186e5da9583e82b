"""Names are the file system's bytes, read as UTF-8 whatever the locale says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import running

CELL = "Zelle é1"


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Latin-1 locale, compiled for the test."""
    folder = tmp_path_factory.mktemp("locales")
    words = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    subprocess.run(words, check=True, capture_output=True)
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}


@pytest.mark.parametrize("locale", ["latin 1", "C without coercion", "POSIX"])
def test_no_locale_changes_a_name(
    locale: str, latin_1: dict[str, str], studio: LocalStudio, tmp_path: Path
) -> None:
    environment = {
        "latin 1": latin_1,
        "C without coercion": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        "POSIX": {"LC_ALL": "POSIX"},
    }[locale]
    archive(tmp_path / "archive", measurements=1)
    (tmp_path / "archive/spec 0/cell 0").rename(tmp_path / "archive/spec 0" / CELL)
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    with running(words, folder=tmp_path, studio=studio, environment=environment) as run:
        ended = run.wait()
    assert ended.code == 0, ended.err
    assert [row.cell for row in ended.rows.values()] == [CELL]
