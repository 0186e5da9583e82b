"""The event loop of a run: uvloop where it is installed (extra ``speed``), else asyncio's own."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from bulkload.core.systems import system_of


def loop_options() -> dict[str, Any]:
    """Return the ``backend_options`` of ``anyio.run``."""
    can_run = system_of(sys.platform).has_uvloop
    is_there = can_run and importlib.util.find_spec("uvloop") is not None
    return {"use_uvloop": True} if is_there else {}
