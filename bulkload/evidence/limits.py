"""Every bound of packs, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Largest pack as one file, in bytes, and its files: the plain form of the format ends there. A
#: pack as a folder has neither bound.
MAX_ZIP_BYTES: Final = 2**32 - 1
MAX_ZIP_FILES: Final = 2**16 - 1

#: Bytes that are hashed or copied at a time.
BLOCK_BYTES: Final = 1 << 20

#: Longest line of a table of a pack, in bytes: its columns and metadata are in it.
MAX_LINE_BYTES: Final = 16 * 2**20

#: Exceptions that the page lists one by one; the tables beside it have all of them.
LISTED_EXCEPTIONS: Final = 200
