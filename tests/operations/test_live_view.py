"""The live view on a real terminal, resized, without colour; and its lines where there is none."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console

from bulkload.cli.live.view import PLAIN_INTERVAL_S, shown_live
from bulkload.cli.live.watch import is_at_work, liveness_lines
from bulkload.core.snapshot import Liveness, RunSnapshot
from bulkload.engine.live_file import LiveState, read_snapshots
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import PATIENCE_S, environment_of, running, until
from tests.shell.test_live_lines import RUN
from tests.terminal import Terminal, terminal

UPLOAD = ["upload", "archive", "--job", "job", "--workers", "1"]
FILES = 3

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive of three good files and a bad one."""
    archive(tmp_path / "archive", measurements=FILES)
    good = next((tmp_path / "archive").rglob("*.csv"))
    good.with_name("bad.csv").write_text("a,b\n1,2\n", "utf-8")
    return tmp_path


@pytest.fixture
def away(studio: LocalStudio) -> LocalStudio:
    """A Studio whose storage does not answer until the fault is cleared."""
    studio.faults.add(FaultRule(kind=FaultKind.STATUS, endpoint="storage.put", status=503))
    return studio


def is_waiting(shown: Terminal) -> bool:
    return any(line.startswith("paused: server") for line in shown.lines)


def has_more(shown: Terminal, than: int) -> bool:
    return len(shown.written) > than


@posix_only
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_an_upload_shows_itself_and_leaves_only_its_report(
    columns: int, folder: Path, away: LocalStudio
) -> None:
    environment = environment_of(away)
    with terminal(UPLOAD, folder=folder, columns=columns, environment=environment) as shown:
        shown.read_until(lambda: is_waiting(shown), "the outage on the screen")
        lines = shown.lines
        heads = [line for line in lines if line.startswith("waiting for the server: 1 of 4 done")]
        assert len(heads) == 1
        stages = [
            line.split()[0] for line in lines if re.match(r"(plan|prepare|api|stor|proc)", line)
        ]
        assert stages == ["plan", "prepare", "api", "storage", "processing"]
        assert "1 rejected" in lines
        assert "causes: unknown_format (1)" in lines
        assert any(line.startswith("limited by server") for line in lines)
        # What is news stands above the view, in the order in which it came.
        above = " ".join(lines[: lines.index(heads[0])])
        assert above.index("unknown_format: ") < above.index("the server is unreachable")
        away.faults.clear()
        assert shown.read_to_end() == 3
    whole = " ".join(shown.whole)
    assert "the server answers again, after" in whole
    # The view is gone, what was news and the report stay, the counts last.
    assert "waiting for the server: " not in whole
    assert "in hand" not in whole
    assert shown.lines[-3:] == ["3  created", "1  rejected", "4  planned"]


@posix_only
def test_a_terminal_that_is_resized_shows_one_view_of_its_new_width(
    folder: Path, away: LocalStudio
) -> None:
    environment = environment_of(away)
    with terminal(UPLOAD, folder=folder, columns=200, environment=environment) as shown:
        shown.read_until(lambda: is_waiting(shown), "the outage on the screen")
        for columns in (60, 100):
            shown.resize(columns, 40)
            # The whole screen is of the new width once a view was drawn after the change.
            drawn = len(shown.written)
            shown.read_until(partial(has_more, shown, drawn), "another drawing")
            shown.read_until(lambda: is_waiting(shown), "the view again")
            heads = [line for line in shown.lines if line.startswith("waiting for the server")]
            assert len(heads) == 1
            assert sum(line.startswith("processing") for line in shown.lines) == 1
            assert any(line.startswith("unknown_format: ") for line in shown.lines)
        away.faults.clear()
        assert shown.read_to_end() == 3
    assert shown.lines[-3:] == ["3  created", "1  rejected", "4  planned"]


@posix_only
def test_no_color_is_obeyed(folder: Path, away: LocalStudio) -> None:
    environment = environment_of(away) | {"NO_COLOR": "1"}
    with terminal(UPLOAD, folder=folder, columns=80, environment=environment) as shown:
        shown.read_until(lambda: is_waiting(shown), "the outage on the screen")
        away.faults.clear()
        shown.read_to_end()
    codes = re.findall(rb"\x1b\[([0-9;]*)m", shown.written)
    numbers = {int(number) for code in codes for number in code.split(b";") if number}
    assert not [number for number in numbers if number >= 30]


def test_a_pipe_gets_no_drawing(folder: Path, studio: LocalStudio) -> None:
    with running(UPLOAD, folder=folder, studio=studio) as run:
        ended = run.wait(PATIENCE_S)
    assert "\x1b" not in ended.out + ended.err
    assert [line for line in ended.err.splitlines() if not line.startswith("running: ")] == []


def snapshots() -> Iterator[RunSnapshot]:
    while True:
        yield RUN


def test_without_a_terminal_there_is_a_whole_line_each_30_s() -> None:
    file = io.StringIO()
    waited: list[float] = []
    lines = iter([False, False, True])

    def wait(_: Event, seconds: float) -> bool:
        waited.append(seconds)
        return next(lines)

    with shown_live(Console(file=file, width=40), snapshots().__next__, wait):
        pass
    assert waited == [PLAIN_INTERVAL_S] * 3 == [30.0] * 3
    said = file.getvalue().splitlines()
    assert len(said) == 2
    assert said[0] == said[1]
    assert len(said[0]) > 40
    assert said[0].startswith("running: 1,204 of 5,000 done (24 %)")


@posix_only
def test_a_run_is_watched_from_another_terminal_until_it_ends(
    folder: Path, away: LocalStudio
) -> None:
    words = ["status", "job", "--watch"]
    with running(UPLOAD, folder=folder, studio=away) as run:
        until(lambda: bool(read_snapshots(folder / "job", time.time())), "the first state")
        with terminal(words, folder=folder, columns=80) as shown:
            shown.read_until(lambda: is_waiting(shown), "the outage on the other screen")
            expected = f"paused: run 1, process {run.process.pid} on "
            assert any(line.startswith(expected) for line in shown.lines)
            assert any(
                line.startswith("waiting for the server: 1 of 4 done") for line in shown.lines
            )
            away.faults.clear()
            assert shown.read_to_end() == 0
        run.wait()
    said = [line.strip() for line in shown.lines]
    assert said[-5:-1] == ["3  created", "1  rejected", "0  not done", "4  planned"]


@posix_only
def test_who_watches_a_run_hears_that_its_process_died(folder: Path, away: LocalStudio) -> None:
    with running(UPLOAD, folder=folder, studio=away) as run:
        until(lambda: bool(read_snapshots(folder / "job", time.time())), "the first state")
        with terminal(["status", "job", "--watch"], folder=folder, columns=100) as shown:
            shown.read_until(lambda: is_waiting(shown), "the outage on the other screen")
            run.process.kill()
            run.process.wait()
            assert shown.read_to_end() == 0
        expected = f"dead: process {run.process.pid} on "
        assert any(line.startswith(expected) for line in shown.lines)
        assert any(line.startswith("to resume: bulkload upload archive") for line in shown.lines)


def test_a_terminal_that_cannot_be_drawn_on_gets_lines() -> None:
    file = io.StringIO()
    ends = iter([False, True])
    console = Console(file=file, force_terminal=True, _environ={"TERM": "dumb"}, width=40)
    with shown_live(console, snapshots().__next__, lambda *_: next(ends)):
        pass
    assert len(file.getvalue().splitlines()) == 1
    assert "\x1b" not in file.getvalue()


def test_a_quiet_command_shows_nothing() -> None:
    file = io.StringIO()
    with shown_live(Console(file=file, quiet=True), snapshots().__next__, lambda *_: False):
        pass
    assert file.getvalue() == ""


def state(liveness: Liveness, **changes: object) -> LiveState:
    return LiveState(Path("job"), replace(RUN, **changes), liveness)  # type: ignore[arg-type]


def test_one_process_is_told_by_its_number_and_several_are_counted() -> None:
    assert liveness_lines([state(Liveness.ALIVE)]) == [
        "alive: run 1, process 1 on lab, since 2023-11-14 22:13 UTC"
    ]
    (dead,) = liveness_lines([state(Liveness.DEAD)])
    assert dead.startswith("dead: process 1 on lab is gone without having ended its run, last news")
    (suspended,) = liveness_lines([state(Liveness.PAUSED, pauses=())])
    assert suspended.startswith("paused: run 1, process 1 on lab; it was suspended or is stuck")
    (ended,) = liveness_lines([state(Liveness.ENDED, exit_code=3)])
    assert ended.endswith("ago, exit code 3")
    parts = [state(Liveness.ENDED), state(Liveness.ALIVE), state(Liveness.ENDED)]
    assert liveness_lines(parts) == ["3 parts: 1 alive, 2 ended"]
    assert is_at_work(parts)
    assert not is_at_work(parts[:1])
