"""What is chosen for each operating system, run here by its pure parts."""

from __future__ import annotations

import signal
import sys

import pytest

from bulkload.core.systems import MAX_NAME_BYTES, fit_name, system_of


def test_windows() -> None:
    windows = system_of("win32")
    assert windows.ending_signals == ("SIGINT", "SIGTERM")
    assert not windows.hands_signals_on
    assert not windows.has_sessions
    assert not windows.has_address_space_limit
    assert not windows.quotes_for_posix
    assert not windows.deletes_open_files


@pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
def test_posix(platform: str) -> None:
    posix = system_of(platform)
    assert posix.ending_signals == ("SIGINT", "SIGTERM", "SIGHUP")
    assert posix.hands_signals_on
    assert posix.has_sessions
    assert posix.quotes_for_posix


def test_this_system_has_what_is_said_of_it() -> None:
    for name in system_of(sys.platform).ending_signals:
        assert hasattr(signal, name)


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
