"""Mutated files: refused with a reason or read, and then untouched rows keep their values.

The long form is ``python scripts/fuzz_readers.py`` (5 000 files of each format).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from scripts.fuzz_bases import NAMES
from scripts.fuzz_readers import problems

#: Mutations of each format here; the script makes 5 000.
COUNT = 60


@pytest.mark.parametrize("name", NAMES)
def test_mutations(name: str, shared_data: Path) -> None:
    outcomes: Counter[str] = Counter()
    assert list(problems(name, COUNT, 2026, outcomes)) == []
    assert outcomes["read"] > 0
    assert sum(outcomes.values()) == COUNT
