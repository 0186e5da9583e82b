"""Stored objects on disk. Names come from us, never from a client: any file name is safe."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Objects lie in 256 folders, by the first two characters of their id.
_SHARDS: Final = tuple(f"{number:02x}" for number in range(256))

TIME_SERIES_FILE: Final = "time_series.parquet"
STEPS_FILE: Final = "steps.parquet"
EXTEND_FILE: Final = "time_series_extend.parquet"
CYCLES_FILE: Final = "cycles.parquet"


def attachment_key(record_id: str, number: int) -> str:
    """Return the key of the n-th file of a file measurement."""
    return f"{record_id}.file{number}"


def object_key(record_id: str, leaf: str) -> str:
    """Return the key of a named object of a record."""
    return f"{record_id}.{leaf}"


class ObjectStore:
    """A folder of objects."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for shard in _SHARDS:
            (root / shard).mkdir(exist_ok=True)
        # What a crash left behind was never acknowledged.
        for leftover in self._incoming.iterdir():
            leftover.unlink()

    def path(self, key: str) -> Path:
        """Return where an object lies, or would lie."""
        return self._root / key[:2] / key

    def incoming(self) -> Path:
        """Return a new path for bytes that are still arriving."""
        return self._incoming / uuid.uuid4().hex

    def adopt(self, arrived: Path, key: str) -> None:
        """Make arrived bytes an object, in one step."""
        os.replace(arrived, self.path(key))  # noqa: PTH105 - the hot path of each upload

    def exists(self, key: str) -> bool:
        """Tell whether the object has arrived."""
        return self.path(key).is_file()

    def delete_of(self, record_id: str) -> None:
        """Remove all objects of a record."""
        for path in list((self._root / record_id[:2]).glob(f"{record_id}.*")):
            path.unlink(missing_ok=True)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove some objects."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)
