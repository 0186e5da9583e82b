"""What all tests share: where the real cycler files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real cycler files; tests that need it skip where it is absent, never in CI."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = f"real cycler files not found at {SHARED_DATA} (set BULKLOAD_SHARED_DATA)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
