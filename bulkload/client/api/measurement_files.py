"""Files of a measurement, looked at before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bulkload.errors import UnreadableError

#: First bytes of the pictures that Studio shows. WebP is recognised by its second word.
IMAGE_SIGNATURES: Final[Mapping[str, tuple[bytes, ...]]] = {
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".webp": (b"RIFF",),
    ".tiff": (b"II\x2a\x00", b"MM\x00\x2a"),
    ".bmp": (b"BM",),
}

#: Bytes that are read to tell a picture.
HEADER_BYTES: Final = 16


def checked_files(filepaths: Sequence[str | Path], are_images: bool) -> list[Path]:  # noqa: FBT001
    """Return the paths; raise for a file that is missing, given twice, or not a picture."""
    if isinstance(filepaths, str | Path):
        raise TypeError("filepaths is a list of paths, even for a single file")
    paths = [Path(path) for path in filepaths]
    if not paths:
        raise ValueError("a file measurement needs at least one file")
    # Studio knows files by their base name: a second one of that name would replace the first.
    twice = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if twice:
        raise ValueError(f"two files are named {twice[0]!r}: a measurement holds each name once")
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        if are_images:
            _check_image(path)
    return paths


def _check_image(path: Path) -> None:
    kind = path.suffix.lower()
    signatures = IMAGE_SIGNATURES.get(kind)
    if signatures is None:
        known = ", ".join(IMAGE_SIGNATURES)
        raise UnreadableError(
            f"{path.name} does not have the extension of an image ({known})", cause="not_an_image"
        )
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    is_webp = kind != ".webp" or header[8:12] == b"WEBP"
    if not header.startswith(signatures) or not is_webp:
        raise UnreadableError(
            f"{path.name} is named as a {kind[1:].upper()} image, but its content is not one",
            cause="not_an_image",
        )
