"""What differs between operating systems, as values: every choice by system is made here.

``system_of`` answers for any system, so that what is chosen for Windows is tested elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What an operating system has."""

    #: Signals that end a run in order, by their names. The first means an interruption.
    ending_signals: tuple[str, ...]
    #: Whether the event loop hands signals on; where it does not, Ctrl-C raises at once.
    hands_signals_on: bool
    #: Signals that end a group of processes, one after another; none where groups get no signals.
    group_signals: tuple[str, ...]
    #: Whether a child can lead a session of its own, out of the terminal's reach.
    has_sessions: bool
    #: Flags of a new process that keep Ctrl-C from it where there are no sessions.
    creation_flags: int
    #: Whether the limits of a shell (``ulimit``) can be asked for.
    has_resource_limits: bool
    #: Whether a limit of a process's data keeps all that it allocates below it.
    limits_data: bool
    #: Whether a process can be asked which cores it is bound to.
    has_affinity: bool
    #: Whether a process can lower its own priority by ``nice``.
    has_nice: bool
    #: Whether uvloop runs here.
    has_uvloop: bool
    #: Whether words of a command line are quoted for a POSIX shell.
    quotes_for_posix: bool
    #: Flags that open a file without changing its line ends.
    open_flags: int
    #: Layout of the two integers of ``SO_LINGER``.
    linger_layout: str


_POSIX: Final = System(
    ending_signals=("SIGINT", "SIGTERM", "SIGHUP"),
    hands_signals_on=True,
    group_signals=("SIGTERM", "SIGKILL"),
    has_sessions=True,
    creation_flags=0,
    has_resource_limits=True,
    limits_data=False,
    has_affinity=False,
    has_nice=True,
    has_uvloop=True,
    quotes_for_posix=True,
    open_flags=0,
    linger_layout="ii",
)
#: Since Linux 4.7, RLIMIT_DATA counts private mappings too (``getrlimit(2)``).
_LINUX: Final = replace(_POSIX, limits_data=True, has_affinity=True)
_WINDOWS: Final = System(
    ending_signals=("SIGINT", "SIGTERM"),
    hands_signals_on=False,
    group_signals=(),
    has_sessions=False,
    creation_flags=0x200,  # CREATE_NEW_PROCESS_GROUP
    has_resource_limits=False,
    limits_data=False,
    has_affinity=False,
    has_nice=False,
    has_uvloop=False,
    quotes_for_posix=False,
    open_flags=0x8000,  # O_BINARY
    linger_layout="hh",
)
_NAMED: Final = {"linux": _LINUX, "win32": _WINDOWS}

#: Names that Windows keeps for devices, with any ending.
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)
_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*/\\\x00-\x1f]')
#: Bytes of a name that every file system takes, with room for an ending of ours.
MAX_NAME_BYTES: Final = 200


def system_of(platform: str) -> System:
    """Return what a system has, by the name that ``sys.platform`` gives it."""
    return _NAMED.get(platform, _POSIX)


def utf8_environment(*, is_utf8_mode: bool, names: str, shown: str) -> dict[str, str] | None:
    """Return the environment in which names are read as UTF-8; None where they are already.

    Names are the file system's bytes, and labs write them as UTF-8: under a Latin-1 locale
    ``Zelle é1`` would arrive as ``Zelle Ã©1``. What the terminal shows keeps its encoding.
    ``names`` and ``shown`` are the encodings of file names and of the terminal.
    """
    if is_utf8_mode or names == "utf-8":
        return None
    return {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{shown}:backslashreplace"}


def without_quotes(word: str) -> str:
    """Return a word of a Windows command line without the quotes around it."""
    is_quoted = len(word) > 1 and word[0] == word[-1] == '"'
    return word[1:-1] if is_quoted else word


def fit_name(name: str) -> str:
    """Return a name under which a file can be made on every system, alike for alike names.

    A long name loses its beginning: its ending says what a file may be.
    """
    fit = _NOT_IN_NAMES.sub("_", name)
    fit = fit.encode("utf-8", "replace")[-MAX_NAME_BYTES:].decode("utf-8", "ignore")
    fit = fit.strip(" ").rstrip(".")
    return f"_{fit}" if not fit or _DEVICES.match(fit) else fit
