"""The digest of a table's content: the same for the same data, whatever file it came in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bulkload.core.frame import AnyArray, Column, Frame
from bulkload.core.groups import blocks


def content_digest(frame: Frame) -> str:
    """Return the SHA-256 of all columns.

    Independent of the order of columns, of how numbers were written, and of whether they were
    stored as integers or floats: numbers count as float64, null as NaN, minus zero as zero.
    """
    digest = hashlib.sha256(f"rows {frame.rows}\n".encode())
    for name in sorted(frame.names):
        numeric = frame.is_numeric(name)
        digest.update(f"{'n' if numeric else 't'} {name}\n".encode())
        for low, high in blocks(frame.rows):
            if numeric:
                digest.update(_canonical(frame.values_in(name, low, high)))
            else:
                digest.update(_text(frame.column_in(name, low, high)))
    return digest.hexdigest()


def _canonical(block: AnyArray) -> memoryview:
    floats = block.astype("<f8")
    floats += 0.0  # minus zero becomes zero
    if np.isnan(floats.sum()):
        floats[np.isnan(floats)] = np.nan  # one of the many bit patterns of NaN
    return floats.data


def _text(column: Column) -> bytes:
    values, nulls = column.values, column.nulls
    return b"".join(map(_word, values, np.zeros(len(values), bool) if nulls is None else nulls))


def _word(value: object, is_null: bool) -> bytes:  # noqa: FBT001 - mapped over two columns
    """Return a text with its length, so that no two columns of texts write the same bytes."""
    if is_null:
        return b"-\n"
    text = str(value).encode("utf-8", "surrogateescape")
    return b"%d:%s\n" % (len(text), text)


def properties_text(properties: Mapping[str, Any]) -> bytes:
    """Return properties as canonical JSON: keys sorted, no number that JSON lacks."""
    return json.dumps(
        properties, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def properties_digest(properties: Mapping[str, Any]) -> str:
    """Return the digest of a properties measurement."""
    return hashlib.sha256(properties_text(properties)).hexdigest()


def files_digest(hashes: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a file measurement from its files' names and SHA-256."""
    return hashlib.sha256(json.dumps(sorted(hashes)).encode()).hexdigest()
