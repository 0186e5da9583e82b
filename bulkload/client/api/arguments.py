"""Arguments of the calling code, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulkload.core.terms import MAX_NAME_LENGTH, MAX_TAG_LENGTH, MAX_TAGS


def checked_name(data: Mapping[str, Any], what: str) -> str:
    """Return the name in a payload; ValueError where it is missing or cannot be stored."""
    name = data.get("name") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a {what} needs a name")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"the name of a {what} has at most {MAX_NAME_LENGTH} characters, not {len(name)}"
        )
    return name


def checked_tags(tags: str | Iterable[str] | None) -> list[str] | None:
    """Return tags as a list (a bare string is one tag); ValueError where Studio refuses them."""
    if tags is None:
        return None
    listed = [tags] if isinstance(tags, str) else [*tags]
    if len(listed) > MAX_TAGS:
        raise ValueError(f"a measurement has at most {MAX_TAGS} tags, not {len(listed)}")
    for tag in listed:
        if not isinstance(tag, str) or not 0 < len(tag.strip()) <= MAX_TAG_LENGTH:
            raise ValueError(f"a tag has 1 to {MAX_TAG_LENGTH} characters: {tag!r}")
    return listed


def id_list(measurement_ids: str | Iterable[str]) -> list[str]:
    """Return one id, or several, as a list."""
    return [measurement_ids] if isinstance(measurement_ids, str) else [*measurement_ids]
