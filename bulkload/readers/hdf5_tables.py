"""The tables of an HDF5 file: compound datasets, data frames of pandas, groups of equal columns.

What the file only points to is not followed: no external link, external storage or virtual
dataset. Pickled attributes are never unpickled; names are taken from a pickle's instructions.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, UnreadableError
from bulkload.readers.content import MAX_CONTENT_BYTES, FileContent

#: Tables that one file is looked through for: a store of thousands is no export of tests.
MAX_TABLES: Final = 1000

Columns = dict[str, pa.ChunkedArray]


def tables(content: FileContent) -> Mapping[str, Columns]:
    """Return the tables of a file by their paths in it.

    Raises ``MissingExtraError`` without h5py, and ``UnreadableError`` for a damaged file or one
    that unpacks to more than a file may hold.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("Reading HDF5 files", "hdf5") from error
    try:
        with h5py.File(io.BytesIO(content.data), "r") as file:
            return _tables(file, content.name)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        error_text = " ".join(printable(str(error)).split())[:120]
        raise UnreadableError(
            f"{content.name}: not a readable HDF5 file ({error_text}); copy it again",
            cause="damaged",
        ) from error


def _tables(file: Any, name: str) -> Mapping[str, Columns]:
    import h5py

    groups: list[Any] = [file]
    datasets: list[Any] = []

    def note(_: str, node: Any) -> None:
        (datasets if isinstance(node, h5py.Dataset) else groups).append(node)

    # Hard links only: a soft or external link is not visited.
    file.visititems(note)
    inside = list(filter(_is_inside, datasets))
    if sum(one.nbytes for one in inside) > MAX_CONTENT_BYTES:
        raise UnreadableError(
            f"{name}: more than {MAX_CONTENT_BYTES // 1024**3} GiB of data; split the file",
            cause="too_large",
        )
    found: dict[str, Columns] = {}
    for node in inside:
        if node.dtype.names and "/_i_" not in node.name:
            found[node.name.strip("/")] = _compound(node)
    for node in groups:
        columns = _frame(node) if "axis0" in node else _equal_columns(node)
        if columns:
            found[node.name.strip("/") or "/"] = columns
    if len(found) > MAX_TABLES:
        raise UnreadableError(
            f"{name}: {len(found)} tables, more than {MAX_TABLES}; split the file",
            cause="too_large",
        )
    return found


def _is_inside(dataset: Any) -> bool:
    """Return whether the values of a dataset lie in this file."""
    return not (dataset.external or dataset.is_virtual)


def _compound(dataset: Any) -> Columns:
    """Read a dataset of records; pandas and PyTables pack columns of one type into a block."""
    rows = dataset[()]
    columns: Columns = {}
    for field in dataset.dtype.names:
        values = rows[field]
        if values.ndim == 1:
            columns |= _column(field, values)
        elif values.ndim == 2:
            names = _names_in_pickle(dataset.attrs.get(f"{field}_kind"))
            for place in range(values.shape[1]):
                column = names[place] if place < len(names) else f"{field}_{place}"
                columns |= _column(column, values[:, place])
    return columns


def _frame(group: Any) -> Columns:
    """Read a data frame that pandas wrote in its fixed form."""
    columns: Columns = {}
    for key in group:
        items = group.get(f"{key.removesuffix('_values')}_items")
        if not key.startswith("block") or not key.endswith("_values") or items is None:
            continue
        values = group[key]
        if values.ndim != 2 or values.dtype == object or not _is_inside(values):
            continue
        block = values[()]
        for place, item in enumerate(items[()]):
            columns |= _column(_text(item), block[:, place])
    order = [_text(item) for item in group["axis0"][()]]
    return {one: columns[one] for one in order if one in columns}


def _equal_columns(group: Any) -> Columns:
    """Read the one-dimensional datasets of a group as columns, where they have one length."""
    import h5py

    flat = {
        key: node
        for key in group
        if group.get(key, getlink=True).__class__ is h5py.HardLink
        and isinstance(node := group[key], h5py.Dataset)
        and node.ndim == 1
        and not node.dtype.names
        and _is_inside(node)
    }
    if len({len(node) for node in flat.values()}) != 1:
        return {}
    columns: Columns = {}
    for key, node in flat.items():
        unit = _text(node.attrs.get("units", node.attrs.get("unit", "")))
        columns |= _column(f"{key} [{unit}]" if unit else key, node[()])
    return columns


def _column(name: str, values: npt.NDArray[Any]) -> Columns:
    """Return a column as Arrow has it; none where its values are neither numbers nor text."""
    if values.dtype.kind in "iuf":
        return {name: pa.chunked_array([pa.array(np.ascontiguousarray(values))])}
    if values.dtype.kind == "S" or (values.dtype.kind == "O" and len(values)):
        texts = [_text(value) if isinstance(value, bytes | str) else None for value in values]
        return {name: pa.chunked_array([pa.array(texts, pa.string())])}
    return {}


def _names_in_pickle(pickled: Any) -> list[str]:
    """Return the texts of a pickled list of names, read from its instructions, not executed."""
    if not isinstance(pickled, bytes):
        return []
    return list(_texts(pickled))


def _texts(pickled: bytes) -> Iterator[str]:
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if isinstance(argument, str) and opcode.name in _TEXT_OPCODES:
                yield argument
    except ValueError:
        return


_TEXT_OPCODES: Final = frozenset(
    ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING")
)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
