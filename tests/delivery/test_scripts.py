"""The short forms of what `scripts/` measures on real processes and real HTTP."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import anyio
import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_bytes_cut_off_in_mid_body_are_stored_whole_in_the_end(tmp_path: Path) -> None:
    """The long form sends a thousand files."""
    resets = script("put_resets")
    result = anyio.run(resets.measure, 40, tmp_path, 7)
    assert result.equal == result.uploads == 40
    assert result.resets > 5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lanes", [0, 2])
def test_parents_lanes_and_children_killed_at_random_lose_nothing(lanes: int) -> None:
    """The long form kills a thousand times; each round ends with ``verify --all``."""
    kills = script("kill_test")
    account = kills.run_rounds(2, 3, 20, 10.0, lanes)
    assert account.wrong == []
    assert account.kills.total() >= 3
    assert account.measurements == 20 * account.rounds > 20
