"""Plugin of pytest for runs of mutmut: the quick tests come first, and nothing is remembered.

mutmut ends a mutant's run with the first test that fails, and gives the tests in no order. The
process of a mutant begins as a copy of the one in which all tests have passed.
"""

from __future__ import annotations

import sys
from functools import lru_cache

import pytest
from mutmut.state import state

#: The type of a function that remembers its answers.
_Remembering = type(lru_cache(lambda: None))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the time that each took without a mutant; forget all answers."""
    took_s = state().duration_by_test
    items.sort(key=lambda item: took_s.get(item.nodeid, 0.0))
    for name, module in list(sys.modules.items()):
        if name.startswith("bulkload."):
            for one in vars(module).values():
                if isinstance(one, _Remembering):
                    one.cache_clear()
