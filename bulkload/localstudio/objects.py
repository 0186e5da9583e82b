"""Stored objects on disk. Names come from us, never from a client: any file name is safe."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bulkload.core.systems import system_of

#: Objects lie in 16 folders, by the first character of their id.
_SHARDS: Final = tuple(f"{number:x}" for number in range(16))

TIME_SERIES_FILE: Final = "time_series.parquet"
STEPS_FILE: Final = "steps.parquet"
EXTEND_FILE: Final = "time_series_extend.parquet"


def attachment_key(record_id: str, number: int) -> str:
    """Return the key of the n-th file of a file measurement."""
    return f"{record_id}.file{number}"


def object_key(record_id: str, leaf: str) -> str:
    """Return the key of a named object of a record."""
    return f"{record_id}.{leaf}"


_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system_of(sys.platform).open_flags


class Arriving:
    """Bytes on their way in: an object only once they are all here."""

    # Bare system calls: each upload passes here, and a file object makes several more of them.

    def __init__(self, incoming: str, final: str) -> None:
        self._incoming = incoming
        self._final = final
        self._handle = os.open(incoming, _FLAGS, 0o600)

    def write(self, piece: bytes) -> None:
        """Take in a piece."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self._handle, view) :]

    def keep(self) -> None:
        """Make it an object, in one step."""
        os.close(self._handle)
        os.replace(self._incoming, self._final)  # noqa: PTH105 - see above

    def discard(self) -> None:
        """Forget it."""
        os.close(self._handle)
        os.unlink(self._incoming)  # noqa: PTH108 - see above


class ObjectStore:
    """A folder of objects."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        incoming = root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        self._incoming = str(incoming)
        for shard in _SHARDS:
            (root / shard).mkdir(exist_ok=True)
        self._numbers = itertools.count()
        # What a crash left behind was never acknowledged.
        for leftover in incoming.iterdir():
            leftover.unlink()

    def path(self, key: str) -> Path:
        """Return where an object lies, or would lie."""
        return Path(self._place(key))

    def incoming(self) -> Path:
        """Return a new path for bytes that are being made."""
        return Path(f"{self._incoming}/{next(self._numbers)}")

    def receive(self, key: str) -> Arriving:
        """Begin to take in an object."""
        return Arriving(f"{self._incoming}/{next(self._numbers)}", self._place(key))

    def adopt(self, arrived: Path, key: str) -> None:
        """Make a finished file an object, in one step."""
        arrived.replace(self._place(key))

    def exists(self, key: str) -> bool:
        """Return whether the object has arrived."""
        return os.path.exists(self._place(key))  # noqa: PTH110 - once for each confirm

    def delete_of(self, record_id: str) -> None:
        """Remove all objects of a record."""
        for path in list(Path(self._root, record_id[0]).glob(f"{record_id}.*")):
            path.unlink(missing_ok=True)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove some objects."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def _place(self, key: str) -> str:
        return f"{self._root}/{key[0]}/{key}"
