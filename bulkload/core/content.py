"""Digests of what is not a table: the same for the same content, wherever it lies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any


def properties_text(properties: Mapping[str, Any]) -> bytes:
    """Return properties as canonical JSON: keys sorted, no number that JSON lacks."""
    return json.dumps(
        properties, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def properties_digest(properties: Mapping[str, Any]) -> str:
    """Return the digest of a properties measurement."""
    return sha256(properties_text(properties)).hexdigest()


def files_digest(hashes: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a file measurement from its files' names and SHA-256."""
    return sha256(json.dumps(sorted(hashes)).encode()).hexdigest()
