"""Untrusted text in terminals and messages."""

from __future__ import annotations

import pytest

from bulkload.core.text import MAX_MESSAGE_CHARACTERS, SHOWN_CHARACTERS, one_line, printable, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cell 5: Grün", "cell 5: Grün"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("line\u2028break", "line\\u2028break"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_does_not_print_is_written_as_its_escape(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_server_text_is_one_bounded_line() -> None:
    assert one_line("  no\r\nsuch\x1b cell ") == "no such  cell"
    assert one_line("right\u202eleft") == "right\\u202eleft"
    assert one_line("a" * 2000) == "a" * MAX_MESSAGE_CHARACTERS + "…"


def test_a_quoted_text_keeps_its_start_and_its_end() -> None:
    quoted = shown("/archive/" + "x" * 500 + "/run 1.csv")
    assert quoted.startswith("'/archive/xx")
    assert quoted.endswith("x/run 1.csv'")
    assert len(quoted) == SHOWN_CHARACTERS + 2
