"""The libraries in whose tables data can be given back."""

from __future__ import annotations

import importlib.util
from typing import Final

#: Backends that tables can be given back in.
BACKENDS: Final = ("polars", "pandas", "pyarrow")


def default_backend() -> str:
    """Return polars where it is installed, as the vendor's client does, else pandas."""
    return "polars" if importlib.util.find_spec("polars") is not None else "pandas"
