"""Runs the examples of a page: shell sessions and Python, in order, in a clean folder.

What a page may hold, by the language of its fenced blocks:

- ``console``: a session. Lines with ``$ `` are commands of one shell, lines with ``> `` go on with
  one; what follows is compared with what the command printed, where ``...`` stands for any text
  and runs of white space are one. A command has to succeed, unless ``echo $?`` comes next.
- ``python``: run as one program a page.
- any language followed by a file name: the file is written into the folder.
- ``sh``: not run; `test_pages.py` says what may stand there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "(end of a command)"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    file: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A command of a session and what it should print; nothing is compared where that is empty."""

    text: str
    expected: str


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(found[1], found[2], found[3], page.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(page)
    ]


def commands(session: str) -> list[Command]:
    """Return the commands of a ``console`` block."""
    found: list[tuple[list[str], list[str]]] = []
    for line in session.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
            continue
        assert found, f"a session begins with a command, not with {line!r}"
        words, output = found[-1]
        if line.startswith("> ") and not output:
            words.append(line[2:])
        else:
            output.append(line)
    return [Command("\n".join(words), "\n".join(output).strip()) for words, output in found]


def matches(expected: str, printed: str) -> bool:
    """Return whether a command printed what a page shows."""
    parts = [re.escape(" ".join(part.split())) for part in expected.split("...")]
    return re.fullmatch(r"\s*" + ".*".join(parts) + r"\s*", " ".join(printed.split())) is not None


@dataclass(kw_only=True)
class Shell:
    """One shell in which the commands of a page run."""

    process: subprocess.Popen[str]

    def run(self, command: str) -> tuple[str, int]:
        """Run a command; return what it printed, on both streams, and its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n{_MARK} %d\\n' $?\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith(_MARK):
                return "".join(lines), int(line.split()[-1])
            lines.append(line)
        raise AssertionError(f"the shell ended with {command!r}: {''.join(lines)}")


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Start a shell in a folder, with our commands on its path."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    with subprocess.Popen(
        ["bash", "--norc"],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
        | dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield Shell(process=process)


@dataclass(kw_only=True)
class Page:
    """Runs the blocks of one page."""

    name: str
    folder: Path
    shell: Shell
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "manual"})

    def run(self, text: str) -> None:
        """Run all examples; raises ``AssertionError`` for one that does not hold."""
        for block in blocks(text):
            place = f"{self.name}, line {block.line}"
            if block.file is not None:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, "utf-8")
            elif block.language == "python":
                exec(compile(block.text, place, "exec"), self.names)
            elif block.language == "console":
                self._session(block, place)

    def _session(self, block: Block, place: str) -> None:
        session = commands(block.text)
        code = 0
        for number, command in enumerate(session):
            if command.text == "echo $?":
                assert str(code) == command.expected, f"{place}: exit code {code}"
                continue
            printed, code = self.shell.run(command.text)
            is_asked = number + 1 < len(session) and session[number + 1].text == "echo $?"
            assert code == 0 or is_asked, f"{place}: {command.text}: exit code {code}\n{printed}"
            if command.expected:
                assert matches(command.expected, printed), f"{place}: {command.text}\n{printed}"
