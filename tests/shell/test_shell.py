"""Completion and man pages: made from the commands, and understood by bash and man."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bulkload.cli import app
from bulkload.cli.commands.man_pages import man_pages
from tests.jobs import Jobs

_COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p bulkload | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_completion_is_installed_by_one_command(tmp_path: Path) -> None:
    installed = subprocess.run(
        [sys.executable, "-m", "bulkload", "--install-completion"],
        env=os.environ | {"HOME": str(tmp_path), "SHELL": "/bin/bash"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    script = tmp_path / ".local/share/bash-completion/completions/bulkload"
    assert str(script) in installed.stdout
    assert str(script) in (tmp_path / ".bashrc").read_text("utf-8")

    def completed(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", _COMPLETE, "bash", str(script), *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    assert set(completed("bulkload", "sta")) == {"status"}
    assert completed("bulkload", "status", "--wat") == ["--watch"]
    assert set(completed("bulkload", "upload", "--existing", "")) == {"reuse", "verify", "fail"}


def test_there_is_a_man_page_for_every_command(jobs: Jobs) -> None:
    ended = jobs.command("help", "--man", "man1")
    names = {path.stem for path in (jobs.folder / "man1").iterdir()}
    commands = {name for name in app if not name.startswith("-")} - {"journal"}
    assert names == {"bulkload", "bulkload-journal-check", *(f"bulkload-{one}" for one in commands)}
    assert ended.out == f"{len(names)} man pages written to man1\n"


def test_every_option_of_a_command_is_on_its_page() -> None:
    page = man_pages()["bulkload-upload"].replace("\\-", "-")
    for argument in app["upload"].assemble_argument_collection(parse_docstring=True):
        if argument.show and argument.names != ("*",):
            assert all(name.lstrip("-").lower() in page.lower() for name in argument.names)
            assert argument.parameter.help
    assert "\\fB--outage-limit\\fR" in page
    assert "Default: 1h." in page


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("name", ["bulkload", "bulkload-upload", "bulkload-journal-check"])
def test_man_shows_a_page_without_a_warning(name: str, jobs: Jobs) -> None:
    jobs.command("help", "--man", "man1")
    shown = subprocess.run(
        ["man", "--warnings", "-l", str(jobs.folder / "man1" / f"{name}.1")],
        env=os.environ | {"MANWIDTH": "80", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stderr == ""
    text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", shown.stdout)
    assert max(map(len, text.splitlines())) <= 80
    for title in ("NAME", "SYNOPSIS", "EXIT STATUS", "SEE ALSO"):
        assert re.search(rf"^{title}$", text, re.MULTILINE)


def test_text_of_a_page_is_no_request_and_no_escape() -> None:
    from bulkload.cli.commands.man_pages import _escaped

    assert _escaped(".SH x\\y -z") == "\\&.SH x\\ey \\-z"
    assert _escaped("'quoted' \"twice\"") == "\\(aqquoted\\(aq \\(dqtwice\\(dq"
