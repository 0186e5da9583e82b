"""Command lines as words and as text, quoted as the system's shell does."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from bulkload.core.systems import System, system_of, without_quotes
from bulkload.errors import SettingsError

#: Options of a command that the one which resumes it does not have.
_NOT_KEPT: Final = ("--until", "--notify")


def this_command() -> str:
    """Return the command line that resumes this run, quoted for this system's shell."""
    return command_line(sys.argv[1:], system_of(sys.platform))


def command_line(given_words: Sequence[str], system: System) -> str:
    """Return the command line that resumes the run that these words began.

    Without ``--until``: its time will have passed. Without ``--notify``: an address may hold a
    password, and this line goes into journal and log.
    """
    words = ["bulkload"]
    given = iter(given_words)
    for word in given:
        if word in _NOT_KEPT:
            next(given, None)
        elif word.partition("=")[0] not in _NOT_KEPT:
            words.append(word)
    return shlex.join(words) if system.quotes_for_posix else subprocess.list2cmdline(words)


def command_words(text: str, system: System) -> list[str]:
    """Return the words of the command of ``--on-end``; no shell ever sees them.

    Raises ``SettingsError`` where a quote is not closed.
    """
    try:
        words = shlex.split(text, posix=system.quotes_for_posix)
    except ValueError as error:
        raise SettingsError(f"--on-end {text!r}: {error}") from error
    return words if system.quotes_for_posix else [without_quotes(word) for word in words]
