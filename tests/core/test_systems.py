"""What is chosen for each operating system, run here by its pure parts."""

from __future__ import annotations

import os
import signal
import struct
import sys

import pytest

from bulkload.cli.options.command_line import command_line, command_words
from bulkload.core.systems import MAX_NAME_BYTES, fit_name, system_of, utf8_environment

#: As subprocess and os have them on Windows.
CREATE_NEW_PROCESS_GROUP = 0x200
O_BINARY = 0x8000


def test_windows() -> None:
    windows = system_of("win32")
    assert windows.ending_signals == ("SIGINT", "SIGTERM")
    assert not windows.hands_signals_on
    assert windows.group_signals == ()
    assert not windows.has_sessions
    assert windows.creation_flags == CREATE_NEW_PROCESS_GROUP
    assert not windows.has_resource_limits
    assert not windows.limits_data
    assert not windows.has_affinity
    assert not windows.has_nice
    assert not windows.has_uvloop
    assert not windows.quotes_for_posix
    assert windows.open_flags == O_BINARY
    assert struct.calcsize(windows.linger_layout) == 4


@pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
def test_posix(platform: str) -> None:
    posix = system_of(platform)
    assert posix.ending_signals == ("SIGINT", "SIGTERM", "SIGHUP")
    assert posix.hands_signals_on
    assert posix.group_signals == ("SIGTERM", "SIGKILL")
    assert posix.has_sessions
    assert posix.creation_flags == 0
    assert posix.has_resource_limits
    assert posix.has_nice
    assert posix.has_uvloop
    assert posix.quotes_for_posix
    assert posix.open_flags == 0
    assert struct.calcsize(posix.linger_layout) == 8


def test_what_only_linux_has() -> None:
    systems = [system_of(name) for name in ("linux", "darwin", "win32")]
    assert [system.limits_data for system in systems] == [True, False, False]
    assert [system.has_affinity for system in systems] == [True, False, False]


def test_this_system_has_what_is_said_of_it() -> None:
    here = system_of(sys.platform)
    for name in here.ending_signals + here.group_signals:
        assert hasattr(signal, name)
    assert here.has_affinity == hasattr(os, "sched_getaffinity")
    assert here.has_nice == hasattr(os, "nice")
    assert here.open_flags == getattr(os, "O_BINARY", 0)


def test_file_names_are_utf8_whatever_the_locale() -> None:
    assert utf8_environment(is_utf8_mode=False, names="utf-8", shown="cp850") is None
    assert utf8_environment(is_utf8_mode=True, names="iso8859-1", shown="iso8859-1") is None
    assert utf8_environment(is_utf8_mode=False, names="iso8859-1", shown="iso8859-1") == {
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "iso8859-1:backslashreplace",
    }


@pytest.mark.parametrize(
    ("platform", "text", "words"),
    [
        ("linux", "copy 'my file' a\\ b", ["copy", "my file", "a b"]),
        ("darwin", '"/opt/my tool" x', ["/opt/my tool", "x"]),
        ("win32", r'"C:\Program Files\tool.exe" C:\out "a b"',
         [r"C:\Program Files\tool.exe", r"C:\out", "a b"]),
    ],
)  # fmt: skip
def test_words_of_a_command(platform: str, text: str, words: list[str]) -> None:
    assert command_words(text, system_of(platform)) == words


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("linux", r"bulkload upload 'D:\my archive' --quiet"),
        ("win32", r'bulkload upload "D:\my archive" --quiet'),
    ],
)
def test_the_line_that_resumes_a_run(platform: str, line: str) -> None:
    given = ["upload", r"D:\my archive", "--until", "06:00", "--quiet"]
    assert command_line(given, system_of(platform)) == line


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("RPT 0.5C.csv", "RPT 0.5C.csv"),
        ("Zelle é1.csv", "Zelle é1.csv"),
        ("a:b?c*.csv", "a_b_c_.csv"),
        ("a/b\\c", "a_b_c"),
        ("con", "_con"),
        ("NUL.csv", "_NUL.csv"),
        ("com1.txt", "_com1.txt"),
        ("LPT9", "_LPT9"),
        ("console.csv", "console.csv"),
        ("common.csv", "common.csv"),
        ("trailing. ", "trailing"),
        ("...", "_"),
        ("", "_"),
        ("a\x00b\n", "a_b_"),
    ],
)
def test_a_name_that_every_system_takes(name: str, fit: str) -> None:
    assert fit_name(name) == fit
    assert fit_name(fit) == fit


def test_a_long_name_keeps_its_ending() -> None:
    fit = fit_name("é" * 300 + ".csv")
    assert fit.endswith(".csv")
    assert len(fit.encode()) <= MAX_NAME_BYTES
