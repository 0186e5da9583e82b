"""The statements of ``queries.sql`` by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Final


def _load() -> Mapping[str, str]:
    lines = files(__package__).joinpath("queries.sql").read_text("utf-8").splitlines()
    named = [line for line in lines if line.startswith("-- name: ") or not line.startswith("--")]
    parts = "\n".join(named).split("-- name: ")[1:]
    return {name: sql.strip() for name, _, sql in (part.partition("\n") for part in parts)}


SQL: Final = _load()
