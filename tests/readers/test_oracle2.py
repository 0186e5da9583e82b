"""The second set of real files, against readings that are not ours (data/README2.md).

Each was misread, or refused for a false reason, by an earlier version.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.readers_table import outcome
from tests.conftest import SHARED_DATA

ORACLE = SHARED_DATA / "oracle2.json"
ENTRIES: list[dict[str, Any]] = (
    json.loads(ORACLE.read_text(encoding="utf-8")) if ORACLE.is_file() else []
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"].rsplit("/", 1)[1][:50])
def test_read_right_or_refused_rightly(entry: dict[str, Any]) -> None:
    assert outcome(entry, SHARED_DATA).startswith(("right", "refused"))
