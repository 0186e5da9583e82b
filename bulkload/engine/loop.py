"""The event loop of a run: uvloop where it is installed (extra ``speed``), else asyncio's own."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any


def loop_options() -> dict[str, Any]:
    """Return the ``backend_options`` of ``anyio.run``."""
    is_there = sys.platform != "win32" and importlib.util.find_spec("uvloop") is not None
    return {"use_uvloop": True} if is_there else {}
