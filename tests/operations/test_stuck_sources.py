"""What never answers is named and left behind within a limit, and the rest goes on."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkload.errors import PlanError
from bulkload.localstudio import LocalStudio
from bulkload.sources import patience as module
from bulkload.sources.limits import MAX_STUCK
from bulkload.sources.patience import Patience, StuckError
from tests.archives import archive, series, write
from tests.jobs import Jobs

SAYS = "it did not answer for 0.2 s, the limit; it may be a pipe, or on a share that went away"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    monkeypatch.setattr(module, "PATIENCE_POLL_S", 0.02)


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Paths that hang when they are opened or listed, as on a share that went away."""
    away: set[str] = set()
    back = threading.Event()
    open_, os_open, listdir, scandir = io.open, os.open, os.listdir, os.scandir

    def hang(path: object) -> None:
        if str(path) in away:
            back.wait()

    def opened(file: Any, *words: Any, **more: Any) -> Any:
        hang(file)
        return open_(file, *words, **more)

    def opened_by_number(path: Any, *words: Any, **more: Any) -> int:
        hang(path)
        return os_open(path, *words, **more)

    def listed(path: Any = ".") -> Any:
        hang(path)
        return listdir(path)

    def scanned(path: Any = ".") -> Any:
        hang(path)
        return scandir(path)

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr("os.open", opened_by_number)
    monkeypatch.setattr("os.listdir", listed)
    monkeypatch.setattr("os.scandir", scanned)
    yield away
    back.set()


def plain(text: str) -> str:
    return " ".join(text.split())


def test_a_file_that_never_answers_costs_itself(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, share: set[str]
) -> None:
    archive(tmp_path / "archive", measurements=4, rows=20)
    stuck = tmp_path / "archive" / "spec 0" / "cell 0" / "run 1.csv"
    share.add(str(stuck))
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 3, "rejected": 1}
    assert f"'{stuck}' cannot be read: {SAYS}" in plain(ended.out)


def test_a_folder_that_never_answers_costs_itself(
    jobs: Jobs, tmp_path: Path, share: set[str]
) -> None:
    archive(tmp_path / "archive", cells=3, rows=20)
    stuck = tmp_path / "archive" / "spec 0" / "cell 1"
    share.add(str(stuck))
    ended = jobs.command("plan", "archive")
    assert ended.code == 3, ended.out + ended.err
    assert f"{stuck}: cannot be listed: {SAYS}" in plain(ended.out)
    assert "6 measurements of 2 cells" in plain(ended.out)


def test_a_pipe_where_metadata_should_be_is_named(jobs: Jobs, tmp_path: Path) -> None:
    """A real pipe: opening it waits for a writer for ever."""
    archive(tmp_path / "archive", specs=2, measurements=2, rows=20)
    (tmp_path / "archive" / "spec 1" / "spec.json").unlink()
    os.mkfifo(tmp_path / "archive" / "spec 1" / "spec.json")
    ended = jobs.command("plan", "archive")
    assert ended.code == 3, ended.out + ended.err
    assert f"spec.json: cannot be read: {SAYS}" in plain(ended.out)
    assert "2 measurements of 1 cell" in plain(ended.out)


@pytest.mark.parametrize("option", ["--specs", "--cells", "--tests"])
def test_a_pipe_is_no_sheet(jobs: Jobs, tmp_path: Path, option: str) -> None:
    archive(tmp_path / "archive", measurements=1, rows=20)
    os.mkfifo(tmp_path / "sheet.csv")
    ended = jobs.command("plan", "archive", option, "sheet.csv")
    assert ended.code == 2, ended.out + ended.err
    assert "is not a file but a folder, a pipe or a device" in ended.out + ended.err


def test_a_row_whose_file_never_answers_costs_itself(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "archive", measurements=3, rows=20)
    assert jobs.command("plan", "archive", "--out", "plan.csv").code == 0
    back = threading.Event()
    is_dir = Path.is_dir

    def hanging(path: Path) -> bool:
        if path.name == "run 1.csv":
            back.wait()
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", hanging)
    ended = jobs.command("plan", "plan.csv")
    back.set()
    assert ended.code == 3, ended.out + ended.err
    assert f"row 3 cannot be accessed: {SAYS}" in plain(ended.out)
    assert "2 measurements" in ended.out


def test_answers_come_in_order_and_errors_as_they_are() -> None:
    found = Patience().each(lambda number: 6 // number, [1, 0, 2, 3])
    assert found[0::2] == [6, 3]
    assert isinstance(found[1], ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        Patience().one(lambda: 1 // 0)


def test_a_dead_share_is_given_up_after_a_number_of_things() -> None:
    back = threading.Event()
    patience = Patience()
    with pytest.raises(PlanError, match=f"{MAX_STUCK} files or folders of the source did not"):
        patience.each(lambda _: back.wait(), range(40))
    back.set()
    with pytest.raises(StuckError):
        Patience().one(lambda: threading.Event().wait(30))


def test_a_name_that_is_a_pipe_is_left_out_with_its_rule(jobs: Jobs, tmp_path: Path) -> None:
    write(tmp_path / "archive" / "spec 0" / "cell 0" / "run 0.csv", series(rows=20))
    archive(tmp_path / "archive", measurements=1, rows=20)
    os.mkfifo(tmp_path / "archive" / "spec 0" / "cell 0" / "run 7.csv")
    ended = jobs.command("plan", "archive")
    assert ended.code == 0, ended.out
    assert "1 entry left out by a rule" in ended.out
