"""The tables of the manual and the README are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.manual_tables import TABLES, filled, pages_with_tables
from scripts.messages import messages


@pytest.mark.parametrize("path", pages_with_tables(), ids=lambda path: path.stem)
def test_the_tables_of_a_page_are_what_the_code_says(path: Path) -> None:
    page = path.read_text("utf-8")
    assert filled(page) == page, "run python scripts/manual_tables.py"


def test_every_table_stands_in_a_page() -> None:
    text = "\n".join(path.read_text("utf-8") for path in pages_with_tables())
    assert {name for name in TABLES if f"<!-- begin {name} -->" not in text} == set()


def test_the_messages_are_found_with_their_codes() -> None:
    found = {(one.code, one.text) for one in messages()}
    assert any(
        code == "empty_file" and "the file is empty (0 bytes)" in text for code, text in found
    )
    assert any("The sign of the current is reversed" in text for _, text in found)
    assert any(code == "SettingsError" and "is not a duration" in text for code, text in found)
