"""``--help`` of every command fits a screen of 80 columns, in groups, and ends with an example."""

from __future__ import annotations

import pytest

from bulkload.cli import app
from tests.jobs import Jobs

#: Lines of a screen; commands that take many options may fill a tall one.
SCREEN = 24
TALL_SCREEN = 70
TALL = {"plan", "check", "compare", "retry", "show", "upload"}

COMMANDS = [
    "accept", "account", "check", "compare", "demo", "detect", "help", "journal check", "merge",
    "pack", "page", "plan", "report", "resume", "retry", "rollback", "show", "status", "studio",
    "survey", "upload", "verify",
]  # fmt: skip


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_every_command_is_here() -> None:
    names = {name for name in app if not name.startswith("-")}
    assert names == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_ends_with_an_example(jobs: Jobs, command: str) -> None:
    shown = jobs.command(*command.split(), "--help").out
    lines = shown.rstrip().splitlines()
    assert len(lines) <= (TALL_SCREEN if command in TALL else SCREEN), shown
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith(f"Example: bulkload {command} "), shown


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_takes_one_line(jobs: Jobs, command: str) -> None:
    shown = jobs.command(*command.split(), "--help").out
    rows = [line for line in shown.splitlines() if line.startswith("  ")]
    continued = [line for line in rows if line.startswith("    ") and "--" not in line]
    assert continued == []


def test_the_options_of_upload_are_in_groups(jobs: Jobs) -> None:
    shown = jobs.command("upload", "--help").out
    titles = [line for line in shown.splitlines() if line.endswith(":")]
    assert titles == [
        "Arguments:", "Sources:", "Reading and checks:", "Studio:", "Run:", "Output:",
    ]  # fmt: skip


def test_help_of_bulkload_lists_the_commands_and_names_the_manual(jobs: Jobs) -> None:
    shown = jobs.command("--help").out
    assert len(shown.rstrip().splitlines()) <= SCREEN + 12
    assert "bulkload help" in shown.splitlines()[-1]
