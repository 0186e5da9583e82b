"""JSON, paths and queries as Studio takes them: always valid, always escaped."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

from bulkload.client.http.limits import GZIP_FROM_BYTES

#: Fastest level: the link is the bottleneck only where a body is large.
GZIP_LEVEL: Final = 1

#: What needs no escape, as nearly every name of an endpoint and every id.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")

#: Types whose text is their value.
_AS_TEXT: Final = (PurePath, UUID)


def encode_json(value: Any) -> bytes:
    """Encode ``value`` as JSON that every parser takes: NaN, infinities and NaT become null."""
    try:
        text = _dump(value)
    except ValueError:
        # Rare: only now is every number looked at.
        text = _dump(_without_nan(value))
    return text.encode("utf-8", errors="replace")


def _dump(value: Any) -> str:
    return _encoder().encode(value)


@cache
def _encoder() -> json.JSONEncoder:
    # Once: ``json.dumps`` makes one for each call that is not by its defaults.
    return json.JSONEncoder(
        allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain
    )


def _plain(value: Any) -> Any:
    """Return what JSON can hold for a value that it cannot."""
    if isinstance(value, datetime | date | time):
        # pandas' NaT is a datetime that is not equal to itself.
        return value.isoformat() if value == value else None  # noqa: PLR0124
    if isinstance(value, Enum):
        return value.value
    if type(value).__module__ == "numpy":
        return _plain_numpy(value)
    if isinstance(value, Decimal):
        return _finite(float(value))
    if isinstance(value, _AS_TEXT):
        return str(value)
    return _plain_by_shape(value)


def _plain_numpy(value: Any) -> Any:
    # Whoever hands in such a value has loaded numpy; an upload of files never does.
    import numpy as np

    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    return _without_nan(value.tolist())


def _plain_by_shape(value: Any) -> Any:
    """Take types of packages that need not be imported to be known."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if type(value).__name__ == "NAType":
        return None
    for method in ("model_dump", "to_list", "tolist"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent as JSON")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return _finite(float(value))
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return _without_nan(_plain(value))


def compress_if_large(content: bytes) -> tuple[bytes, str | None]:
    """Return the bytes to send and their ``Content-Encoding``, None for as they are."""
    if len(content) < GZIP_FROM_BYTES:
        return content, None
    return gzip.compress(content, compresslevel=GZIP_LEVEL, mtime=0), "gzip"


def join_path(*segments: str) -> str:
    """Join segments to an absolute path; each is escaped, so that none can be two."""
    return "".join(f"/{_escape(segment)}" for segment in segments)


def _escape(segment: str) -> str:
    if _PLAIN.fullmatch(segment):
        return segment
    if segment in {".", ".."}:
        # Dots need no escape, yet a server would walk up the path for these two.
        return segment.replace(".", "%2E")
    return quote(segment, safe="")


def encode_query(params: Mapping[str, Any] | None) -> str:
    """Encode a query: ``?a=1&b=2``, lists repeat their key, None is left out; may be empty."""
    pairs = [
        (key, _query_text(item))
        for key, value in (params or {}).items()
        for item in (value if isinstance(value, list | tuple | set | frozenset) else (value,))
        if item is not None
    ]
    return f"?{urlencode(pairs)}" if pairs else ""


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)
