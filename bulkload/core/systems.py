"""What differs between operating systems, as values: every choice by system is made here.

``system_of`` answers for any system, so that what is chosen for Windows is tested elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What an operating system has."""

    #: Signals that end a run in order, by their names. The first means an interruption.
    ending_signals: tuple[str, ...]
    #: Whether the event loop hands signals on; where it does not, Ctrl-C raises at once.
    hands_signals_on: bool
    #: Whether a limit of the address space (``ulimit -v``) can be asked for.
    has_address_space_limit: bool
    #: Whether a child can lead a session of its own, out of the terminal's reach.
    has_sessions: bool
    #: Whether words of a command line are quoted for a POSIX shell.
    quotes_for_posix: bool
    #: Whether a file that is open can be deleted.
    deletes_open_files: bool


_POSIX: Final = System(
    ending_signals=("SIGINT", "SIGTERM", "SIGHUP"),
    hands_signals_on=True,
    has_address_space_limit=True,
    has_sessions=True,
    quotes_for_posix=True,
    deletes_open_files=True,
)
_WINDOWS: Final = System(
    ending_signals=("SIGINT", "SIGTERM"),
    hands_signals_on=False,
    has_address_space_limit=False,
    has_sessions=False,
    quotes_for_posix=False,
    deletes_open_files=False,
)

#: Names that Windows keeps for devices, with any ending.
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)
_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*/\\\x00-\x1f]')
#: Bytes of a name that every file system takes, with room for an ending of ours.
MAX_NAME_BYTES: Final = 200


def system_of(platform: str) -> System:
    """Return what a system has, by the name that ``sys.platform`` gives it."""
    return _WINDOWS if platform == "win32" else _POSIX


def fit_name(name: str) -> str:
    """Return a name under which a file can be made on every system, alike for alike names.

    A long name loses its beginning: its ending says what a file may be.
    """
    fit = _NOT_IN_NAMES.sub("_", name)
    fit = fit.encode("utf-8", "replace")[-MAX_NAME_BYTES:].decode("utf-8", "ignore")
    fit = fit.strip(" ").rstrip(".")
    return f"_{fit}" if not fit or _DEVICES.match(fit) else fit
