"""Archives in a temporary folder, made from a dictionary of paths and contents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

MakeTree = Callable[[Mapping[str, Any]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """Make a folder of files: text and bytes as they are, anything else as JSON."""

    def make(files: Mapping[str, Any]) -> Path:
        root = tmp_path / "archive"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, str | bytes) else json.dumps(content)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        return root

    return make
