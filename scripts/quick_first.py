"""Plugin of pytest for runs of mutmut: the quick tests come first.

mutmut ends a mutant's run with the first test that fails, and gives the tests in no order.
"""

from __future__ import annotations

import pytest
from mutmut.state import state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the time that each took without a mutant."""
    took_s = state().duration_by_test
    items.sort(key=lambda item: took_s.get(item.nodeid, 0.0))
