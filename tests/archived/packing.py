"""Archives to read, whole and hostile, made byte by byte where no program would make them."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import py7zr
import pyarrow as pa
import pyarrow.csv

from tests.archives import RATINGS, series

SPEC: Final = '{"ratings": ' + str(RATINGS).replace("'", '"') + "}"


def csv(seed: int) -> bytes:
    """Return a good test, different from those of other seeds."""
    sink = io.BytesIO()
    pa.csv.write_csv(series(rows=20, seed=seed), sink)
    return sink.getvalue()


def good(count: int = 4) -> dict[str, bytes]:
    """Return members of a good archive in the default layout."""
    members = {"NMC/spec.json": SPEC.encode()}
    for at in range(count):
        members[f"NMC/cell {at % 2}/run {at}.csv"] = csv(at)
    return members


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return sink.getvalue()


def tarred(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    """Return a tar archive; ``mode`` names its compression as ``tarfile`` does."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            archive.addfile(_info(name, size=len(data)), io.BytesIO(data))
    return sink.getvalue()


def _info(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mtime = size, kind, 1_700_000_000
    return info


def zstd(data: bytes) -> bytes:
    """Compress as ``zstd`` does."""
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


def seven_zipped(members: Mapping[str, bytes], password: str | None = None) -> bytes:
    """Return a 7z archive, all members packed as one stream."""
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w", password=password) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return sink.getvalue()


FORMS: Final[Mapping[str, Callable[[Mapping[str, bytes]], bytes]]] = {
    ".zip": zipped,
    ".tar": tarred,
    ".tar.gz": lambda members: tarred(members, "w:gz"),
    ".tgz": lambda members: tarred(members, "w:gz"),
    ".tar.bz2": lambda members: tarred(members, "w:bz2"),
    ".tar.xz": lambda members: tarred(members, "w:xz"),
    ".tar.zst": lambda members: zstd(tarred(members)),
    ".7z": seven_zipped,
}


def with_link(name: str, target: str) -> bytes:
    """Return a zip with good members and a symbolic link."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for member, data in good().items():
            archive.writestr(member, data)
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
    return sink.getvalue()


def with_special(name: str, kind: bytes) -> bytes:
    """Return a tar with good members and one of another kind: link, device, pipe."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for member, data in good().items():
            archive.addfile(_info(member, size=len(data)), io.BytesIO(data))
        info = _info(name, kind=kind)
        info.linkname = "/etc/passwd"
        archive.addfile(info)
    return sink.getvalue()


def encrypted() -> bytes:
    """Return a zip of which one member is flagged as encrypted, in both its headers."""
    data = bytearray(zipped({**good(), "NMC/cell 0/secret.csv": csv(9)}))
    name = b"NMC/cell 0/secret.csv"
    local, central = data.index(name) - 30, data.rindex(name) - 46
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def overlapping() -> bytes:
    """Return a zip in whose directory a second name leads to the bytes of another member."""
    members = {**good(), "NMC/cell 0/one.csv": csv(8), "NMC/cell 0/two.csv": csv(8)}
    data = bytearray(zipped(members))
    one, two = (data.rindex(f"NMC/cell 0/{name}.csv".encode()) - 46 for name in ("one", "two"))
    data[two + 42 : two + 46] = data[one + 42 : one + 46]
    return bytes(data)


def announcing(count: int) -> bytes:
    """Return a zip whose end announces a number of members."""
    data = bytearray(zipped(good()))
    end = data.rindex(b"PK\5\6")
    header = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, 46 * count, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    data[end:end] = header + locator
    return bytes(data)


def doubled() -> bytes:
    """Return a tar in which one path stands twice, with different content."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for member, data in [*good().items(), ("NMC/cell 0/run 0.csv", csv(77))]:
            archive.addfile(_info(member, size=len(data)), io.BytesIO(data))
    return sink.getvalue()


def nested(depth: int) -> bytes:
    """Return zips in one another, with a test in the innermost."""
    data = zipped({"NMC/cell 0/deep.csv": csv(5)})
    for _ in range(depth - 1):
        data = zipped({"inner.zip": data})
    return data


def put(path: Path, data: bytes) -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
