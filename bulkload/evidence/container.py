"""A pack as a folder, or as one zip file whose every byte follows from its content.

The zip file is written without compression, with fixed times and names in order: the same content
gives the same bytes, whatever version of a library writes it. So a changed byte is found also
where it belongs to no file.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from zipfile import BadZipFile, ZipFile

from bulkload.core.pack import MANIFEST_NAME
from bulkload.errors import SettingsError
from bulkload.evidence.limits import BLOCK_BYTES, MAX_ZIP_BYTES, MAX_ZIP_FILES

#: 1 January 1980, 00:00, as the format has it: when a pack was written is no part of it.
_DATE: Final = 0x0021
_NAMES_ARE_UTF8: Final = 0x0800
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
#: A file that everybody may read, as unzip makes it.
_MODE: Final = 0o100644 << 16


#: What the standard library raises for a zip file with a changed byte, wherever that is.
_DAMAGED: Final = (
    BadZipFile,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    struct.error,
    zlib.error,
)

#: Names in a pack, in order, with where the files lie.
Files = Sequence[tuple[str, Path]]


class Pack(Protocol):
    """A pack that is open for reading."""

    def names(self) -> Sequence[str]:
        """Return the names of its files."""

    def open(self, name: str) -> BinaryIO:
        """Open a file; raises ``OSError`` and ``BadZipFile``."""


@dataclass(frozen=True, slots=True)
class _Folder:
    root: Path

    def names(self) -> Sequence[str]:
        files = (path for path in self.root.rglob("*") if not path.is_dir())
        return sorted(path.relative_to(self.root).as_posix() for path in files)

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")


@dataclass(frozen=True, slots=True)
class _Zip:
    file: ZipFile

    def names(self) -> Sequence[str]:
        return self.file.namelist()

    def open(self, name: str) -> BinaryIO:
        return self.file.open(name)  # type: ignore[return-value]


def is_pack(path: Path) -> bool:
    """Return whether a path is a pack, by what it holds."""
    if path.is_dir():
        return (path / MANIFEST_NAME).is_file()
    return path.suffix.lower() == ".zip" and path.is_file()


@contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """Open a pack; raise ``SettingsError`` for a file that is none."""
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        file = ZipFile(path)
    except _DAMAGED as error:
        raise SettingsError(f"{path} cannot be opened as a pack: {error}") from error
    with file:
        yield _Zip(file)


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of what is left of an open file."""
    found = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        found.update(block)
    return found.hexdigest()


def write_zip(files: Files, path: Path) -> None:
    """Write files into one zip file, in this order.

    Raises ``SettingsError`` for more than the format holds.
    """
    size = sum(file.stat().st_size + 2 * len(name.encode()) + 128 for name, file in files)
    if size > MAX_ZIP_BYTES or len(files) > MAX_ZIP_FILES:
        raise SettingsError(
            f"a pack of {size / 2**30:.1f} GiB does not fit into a zip file; give --out a folder"
        )
    with path.open("wb") as target:
        for part in _zip_bytes(files):
            target.write(part)


def stray_byte(path: Path, files: Files) -> int | None:
    """Return where a zip file first differs from the one of these files, None for nowhere."""
    at = 0
    with path.open("rb") as file:
        for part in _zip_bytes(files):
            held = file.read(len(part))
            if held != part:
                pairs = enumerate(zip(held, part, strict=False))
                return at + next((n for n, (one, other) in pairs if one != other), len(held))
            at += len(part)
        return at if file.read(1) else None


def copied(pack: Pack, folder: Path) -> dict[str, Path | None]:
    """Copy the files of a pack into a folder; return where each is, None if it is damaged."""
    found: dict[str, Path | None] = {}
    for number, name in enumerate(pack.names()):
        # Under a name of ours: a pack from elsewhere must not choose where a file goes.
        path = folder / str(number)
        try:
            with pack.open(name) as file, path.open("wb") as target:
                shutil.copyfileobj(file, target, BLOCK_BYTES)
        except _DAMAGED:
            found[name] = None
        else:
            found[name] = path
    return found


def _zip_bytes(files: Files) -> Iterator[bytes]:
    """Yield the bytes of the zip file of these files, a block at a time."""
    central: list[bytes] = []
    offset = 0
    for name, path in files:
        encoded = name.encode()
        checksum, size = _checksum(path)
        common = (_NAMES_ARE_UTF8, 0, 0, _DATE, checksum, size, size, len(encoded), 0)
        yield _LOCAL.pack(b"PK\3\4", 20, *common) + encoded
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
        head = _CENTRAL.pack(b"PK\1\2", 0x0314, 20, *common, 0, 0, 0, _MODE, offset)
        central.append(head + encoded)
        offset += _LOCAL.size + len(encoded) + size
    yield from central
    length = sum(map(len, central))
    yield _END.pack(b"PK\5\6", 0, 0, len(files), len(files), length, offset, 0)


def _checksum(path: Path) -> tuple[int, int]:
    checksum = size = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
    return checksum, size
