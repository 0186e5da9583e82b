"""The nights of a job that a scheduler runs: what each prints, its exit code, whom it tells."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkload.journal import Store
from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Ended, Jobs, running
from tests.receivers import hook, mailbox

#: What ``--on-end`` runs: notes its environment, a line each time.
NOTE = """
import json, os, pathlib
names = ("BULKLOAD_EXIT_CODE", "BULKLOAD_STATEMENT", "BULKLOAD_SUMMARY")
with open("ends.jsonl", "a") as file:
    file.write(json.dumps([os.environ[name] for name in names]) + "\\n")
"""


class Nights:
    """Runs the command of a crontab as a process, night after night."""

    def __init__(self, folder: Path, studio: LocalStudio, addresses: Sequence[str]) -> None:
        self.folder, self.studio = folder, studio
        (folder / "note.py").write_text(NOTE)
        on_end = shlex.join([sys.executable, "note.py"])
        self.words = ["upload", "archive", "--job", "job", "--workers", "1", "--quiet"]
        self.words += ["--on-end", on_end]
        # Two ways to name whom to tell: where others can see it, and where they cannot.
        self.words += ["--notify", addresses[0]]
        self.environment = {"BULKLOAD_NOTIFY": addresses[1], "LOGNAME": "anna"}

    def night(self) -> Ended:
        return self.run(*self.words)

    def run(self, *words: str) -> Ended:
        with running(
            words, folder=self.folder, studio=self.studio, environment=self.environment
        ) as command:
            return command.wait()

    def ends(self) -> list[list[str]]:
        lines = (self.folder / "ends.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def test_the_story_of_six_nights(studio: LocalStudio, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=8, rows=20)
    cell = root / "spec 0" / "cell 0"
    for number in range(10):
        (cell / f"aborted {number}.csv").write_text(f"not a test: {number}\n")
    with mailbox() as mails, hook() as posts:
        nights = Nights(tmp_path, studio, (mails.url, posts.url))

        # The first night: all is new, and ten files are bad.
        first = nights.night()
        statement = (
            "18 new, 10 newly rejected; 18 planned: 8 created, 10 rejected; "
            "exit code 3 (finished, something is rejected or failed)"
        )
        why = (
            "no known cycler format fits its content; name the reader with --reader, or describe "
            "the columns in a dialect file"
        )
        listed = "".join(
            f"  unknown_format: {cell}/aborted {number}.csv: {why}\n" for number in range(10)
        )
        assert (first.code, first.err) == (3, "")
        assert first.out == f"job: {statement}\nnewly rejected or failed:\n{listed}"
        assert posts.bodies[-1]["title"] == f"bulkload job: {statement}"
        assert posts.bodies[-1]["message"] + "\n" == first.out
        assert posts.paths == ["/hook"]
        assert mails.mails[-1][0] == f"bulkload job: {statement}"
        assert "unknown_format" in mails.mails[-1][1]

        # Somebody looks, and accepts the ten. That is news, once, and no failure any more.
        accepted = nights.run(
            "accept", "job", "--cause", "unknown_format", "--reason", "aborted by hand"
        )
        assert accepted.code == 0, accepted.err
        second = nights.night()
        statement = (
            "10 newly accepted; 18 planned: 8 created, 10 rejected; 10 known and accepted; "
            "exit code 0 (all arrived, or known and accepted)"
        )
        assert (second.code, second.out, second.err) == (0, f"job: {statement}\n", "")
        assert posts.bodies[-1]["title"] == f"bulkload job: {statement}"

        # A night without news wakes nobody and prints nothing.
        third = nights.night()
        assert (third.code, third.out, third.err) == (0, "", "")
        assert (len(posts.bodies), len(mails.mails)) == (2, 2)

        # Three new files, one grown, one gone, one newly bad.
        for number in range(3):
            write(cell / f"new {number}.csv", series(rows=20, seed=20 + number))
        write(cell / "run 0.csv", series(rows=40, steps=8, seed=0))
        (cell / "run 1.csv").unlink()
        (cell / "broken.csv").write_text("")
        fourth = nights.night()
        statement = (
            "4 new, 1 grown, 1 gone, 1 newly rejected; "
            "21 planned: 10 created, 11 rejected; 10 known and accepted; "
            "exit code 3 (finished, something is rejected or failed)"
        )
        assert (fourth.code, fourth.err) == (3, "")
        assert fourth.out == (
            f"job: {statement}\n"
            "newly rejected or failed:\n"
            f"  empty_file: {cell}/broken.csv: the file is empty (0 bytes); export it again\n"
            "no longer in the plan:\n"
            "  spec 0 / cell 0 / run 1\n"
        )
        assert posts.bodies[-1]["title"] == f"bulkload job: {statement}"
        assert posts.bodies[-1]["message"] + "\n" == fourth.out

        # The bad file is still there: known as bad, though not accepted, and no news.
        fifth = nights.night()
        assert (fifth.code, fifth.out, fifth.err) == (3, "", "")
        assert (len(posts.bodies), len(mails.mails)) == (3, 3)

        # The share is not mounted: nothing found is no success, and somebody is told.
        root.rename(tmp_path / "elsewhere")
        sixth = nights.night()
        assert (sixth.code, sixth.out) == (2, "")
        assert posts.bodies[-1]["title"].startswith("bulkload job: ")
        assert (
            "exit code 2 (cannot be run as asked; a person has to act)"
            in (posts.bodies[-1]["title"])
        )
        assert len(mails.mails) == 4

        # The command that follows ran every night.
        codes = [(code, summary != "") for code, _, summary in nights.ends()]
        assert codes == [("3", True), ("0", True), ("0", True), ("3", True), ("3", True),
                         ("2", False)]  # fmt: skip
        assert nights.ends()[3][1] == statement
        assert nights.ends()[0][2] == str(tmp_path / "job" / "summary.json")


def test_an_address_is_in_no_file_and_on_no_screen(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", rows=20)
    jobs.use(studio)
    with hook() as posts:
        posts.status = 500
        secret = posts.url.replace("//", "//user:s3cret@") + "?token=s3cret"
        jobs.environment.setenv("BULKLOAD_NOTIFY", f"{secret}2")
        ended = jobs.upload("archive", "--notify", secret)
        equals = jobs.upload("archive", f"--notify={secret}", "--until", "00:00")
    # Not delivered: said, by number and kind, and nothing else is changed.
    assert (ended.code, ended.counts) == (0, {"created": 3})
    assert ended.err.endswith(
        "notification 1 (http) was not delivered; the run itself is as the summary says\n"
        "notification 2 (http) was not delivered; the run itself is as the summary says\n"
    )
    assert len(posts.bodies) >= 2
    for one in (ended, equals):
        assert "s3cret" not in one.out + one.err
    job = tmp_path / "job"
    for path in job.rglob("*"):
        if path.is_file():
            assert b"s3cret" not in path.read_bytes(), path
    with Store(job / "journal.sqlite", is_read_only=True) as store:
        assert not any("notify" in run.command for run in store.runs())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--notify", "nonsense://s3cret"), "address 1 of --notify and BULKLOAD_NOTIFY is not one"),
        (("--on-end", "no-such-program-here x"), "is not a command that can be run here"),
        (("--on-end", "'open"), "--on-end"),
    ],
)
def test_a_mistake_is_named_before_anything_is_sent(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    archive(tmp_path / "archive", rows=20)
    jobs.use(studio)
    ended = jobs.upload("archive", *words)
    assert ended.code == 2
    assert message in ended.err
    assert "s3cret" not in ended.err
    assert studio.requests.total == 0


def test_a_command_that_fails_is_said_and_changes_nothing(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "archive", rows=20)
    jobs.use(studio)
    exits = shlex.join([sys.executable, "-c", "raise SystemExit(7)"])
    ended = jobs.upload("archive", "--on-end", exits)
    assert (ended.code, ended.counts) == (0, {"created": 3})
    assert f"the command of --on-end ({sys.executable}) ended with 7\n" in ended.err
    # One that does not end is ended, with what it started.
    monkeypatch.setattr("bulkload.cli.jobs.ending.ON_END_LIMIT_S", 0.5)
    hangs = shlex.join([sys.executable, "-c", "import threading; threading.Event().wait()"])
    ended = jobs.upload("archive", "--on-end", hangs)
    assert ended.code == 0
    assert "took longer than 0 s and was ended" in ended.err


def test_names_from_files_reach_no_shell_and_no_terminal(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, rows=20)
    name = "x; touch pwned $(touch pwned) \x1b[2J"
    (root / "spec 0" / "cell 0" / f"{name}.csv").write_text("")
    jobs.use(studio)
    show = shlex.join([sys.executable, "-c", "import os; print(os.environ['BULKLOAD_STATEMENT'])"])
    ended = jobs.upload("archive", "--quiet", "--on-end", show)
    assert ended.code == 3
    assert "\x1b" not in ended.out
    assert r"touch pwned) \x1b[2J" in ended.out
    assert not list(tmp_path.rglob("pwned"))
