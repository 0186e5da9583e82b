"""What is stored: a body of known length that can be read again from the start for each attempt."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from bulkload.client.storage.limits import BLOCK_BYTES, SMALL_BODY_BYTES
from bulkload.errors import IntegrityError


class Body(Protocol):
    """Bytes to be stored."""

    @property
    def size_bytes(self) -> int:
        """Return the length, which is announced before anything is sent."""

    @property
    def sha256(self) -> str | None:
        """Return the hash that the bytes must have, None where it is unknown."""

    @property
    def md5(self) -> str | None:
        """Return the MD5 that whoever wrote the bytes took of them, None where nobody did."""

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Read from ``start`` to ``stop`` anew, in blocks; blocking."""


@dataclass(frozen=True, slots=True)
class MemoryBody:
    """A small body that is there already."""

    data: bytes = field(repr=False)
    sha256: str | None = None
    md5: str | None = None

    @property
    def size_bytes(self) -> int:
        """Return the length."""
        return len(self.data)

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Read from ``start`` to ``stop``."""
        for at in range(start, stop, BLOCK_BYTES):
            yield self.data[at : min(at + BLOCK_BYTES, stop)]


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file, opened anew for each attempt; its length must not change meanwhile."""

    path: Path
    size_bytes: int
    sha256: str | None = None
    md5: str | None = None

    @classmethod
    def of(cls, path: Path, *, sha256: str | None = None, md5: str | None = None) -> FileBody:
        """Take a file as it is now."""
        return cls(path, path.stat().st_size, sha256, md5)

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Read from ``start`` to ``stop``; a file of another length than announced is refused."""
        with self.path.open("rb") as file:
            file.seek(start)
            left = stop - start
            while left > 0:
                block = file.read(min(BLOCK_BYTES, left))
                if not block:
                    raise IntegrityError(f"{self.path.name} became shorter while it was sent")
                left -= len(block)
                yield block
            if stop == self.size_bytes and file.read(1):
                raise IntegrityError(f"{self.path.name} became longer while it was sent")


def body_of(
    source: Body | Path | bytes, *, sha256: str | None = None, md5: str | None = None
) -> Body:
    """Take a path or bytes as a body."""
    if isinstance(source, Path):
        return FileBody.of(source, sha256=sha256, md5=md5)
    return MemoryBody(source, sha256, md5) if isinstance(source, bytes) else source


class Sending:
    """One pass over a body: gives its blocks to the wire, and keeps the hashes of what it gave.

    The last block is held back until the hash of the whole is known to be right: a store that
    announces nothing until it has all cannot end up with wrong bytes. A small body is given as
    one, and checked before its first byte.
    """

    def __init__(self, body: Body, on_moved: Callable[[int], None]) -> None:
        self._body = body
        self._on_moved = on_moved
        self.begin()

    def begin(self) -> None:
        """Forget what was given: the whole goes from its beginning."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        #: Bytes handed to the wire, and bytes that it has taken.
        self.given_bytes = 0
        self.sent_bytes = 0
        #: What was given as one and is not hashed yet.
        self._whole: bytes | None = None
        #: Why the body could not be read: the wire knows only that it ended early.
        self.error: IntegrityError | OSError | None = None

    @property
    def is_small(self) -> bool:
        """Whether the body is to be given as one: small, and hashed by who wrote it."""
        return self._body.md5 is not None and self._body.size_bytes <= SMALL_BODY_BYTES

    @property
    def md5(self) -> str:
        """Return the MD5 of what was given to the wire, in hexadecimal digits."""
        if self._whole is not None:
            # Not before it is asked for: a store that reports one is held against the writer's.
            self._md5.update(self._whole)
            self._whole = None
        return self._md5.hexdigest()

    def whole(self) -> bytes:
        """Return a small body; ``left`` is to be called when the wire has taken it.

        Raises ``IntegrityError`` where it is not what was meant, before anything is sent.
        """
        data = b"".join(self._body.blocks(0, self._body.size_bytes))
        if self._body.sha256 is not None:
            self._sha256.update(data)
            self._check()
        self._whole = data
        return data

    def left(self) -> None:
        """Note that the wire has taken the whole body."""
        self.given_bytes = self.sent_bytes = self._body.size_bytes
        self._on_moved(self.sent_bytes)

    async def blocks(self, on_block: Callable[[], None]) -> AsyncIterator[bytes]:
        """Return the blocks, read and hashed in a thread; tell after each that it has left.

        The reader is not closed here: a cancelled task leaves its thread behind in it, and what
        one thread runs no other may close. Its file is closed when both have let go of it.
        """
        source = self._body.blocks(0, self._body.size_bytes)
        try:
            # The first two at once: most bodies are one block, and a thread costs more than it.
            held, following = await anyio.to_thread.run_sync(self._first_two, source)
            while held is not None:
                if following is None:
                    self._check()
                self.given_bytes += len(held)
                yield held
                self.sent_bytes += len(held)
                self._on_moved(len(held))
                on_block()
                held = following
                if held is not None:
                    following = await anyio.to_thread.run_sync(self._next, source)
        except (IntegrityError, OSError) as error:
            self.error = error
            raise

    def _first_two(self, source: Iterator[bytes]) -> tuple[bytes | None, bytes | None]:
        return self._next(source), self._next(source)

    def _next(self, source: Iterator[bytes]) -> bytes | None:
        block = next(source, None)
        if block is not None:
            self._md5.update(block)
            if self._body.sha256 is not None:
                self._sha256.update(block)
        return block

    def _check(self) -> None:
        expected = self._body.sha256
        if expected is not None and self._sha256.hexdigest() != expected.lower():
            raise IntegrityError("the bytes to be sent are not those that were prepared")
