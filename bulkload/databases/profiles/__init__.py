"""Ready-made ``[source.sql]`` tables for databases that are in use at several laboratories.

A profile is a TOML file beside this module, in the form that a user writes: what the user states
overrides it, key by key; a column of the mapping is replaced as a whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from typing import Any


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles."""
    folder = resources.files(__name__)
    files = (entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in files))


def load_profile(name: str) -> Mapping[str, Any]:
    """Return a profile; ``LookupError`` for an unknown name."""
    if name not in profile_names():
        near = get_close_matches(name, profile_names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(profile_names())}"
        raise LookupError(f"profile {name!r} is not known; {hint}")
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text("utf-8")
    found: Mapping[str, Any] = tomllib.loads(text)
    return found


def merged_with_profile(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``[source.sql]`` table with what it does not state taken from its profile."""
    name = table.get("profile")
    if name is None:
        return dict(table)
    merged = _over(load_profile(str(name)), table)
    # A filter is stated whole: adding to the profile's would leave out what was asked for.
    for part in ("cells", "measurements"):
        stated = table.get(part)
        if isinstance(stated, Mapping) and "only" in stated:
            merged[part]["only"] = stated["only"]
    return merged


def _over(below: Mapping[str, Any], above: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        # One entry of the mapping (samples.columns.<name>) is stated as a whole.
        if isinstance(value, Mapping) and isinstance(under, Mapping) and depth < 2:
            merged[key] = _over(under, value, depth + 1)
        else:
            merged[key] = value
    return merged
