"""What an archive says that it holds, checked: what can be read, and what is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, Final, Protocol

from bulkload.archives.limits import (
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    RATIO_FREE_BYTES,
)
from bulkload.core.address import plain_member, unsafe_member
from bulkload.core.plan_check import Rule
from bulkload.core.text import shown
from bulkload.errors import UnreadableError

_MIB: Final = 1024**2


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    name: str
    size_bytes: int
    #: Changes when the content does: the time of the member and, where there is one, its checksum.
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member that is not read, with the rule and the reason."""

    name: str
    rule: Rule
    message: str


@dataclass(frozen=True)
class Directory:
    """The members of an archive by their path in it."""

    members: dict[str, Member] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    @cached_property
    def folders(self) -> dict[str, list[str]]:
        """Folder -> names of the files in it, in the order of the archive."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.members:
            folder, _, last = name.rpartition("/")
            found[folder].append(last)
        return dict(found)


class Archive(Protocol):
    """An archive that is open."""

    def directory(self) -> Directory:
        """List and check all members. Raises ``UnreadableError`` for a broken directory."""

    def member(self, name: str) -> Member | None:
        """Return one member, None for none of this path."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a member for reading from its beginning."""

    def close(self) -> None:
        """Close what is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMember:
    """A member as the archive lists it, before it is checked."""

    raw_name: str
    size_bytes: int
    stamp_ns: int
    #: Why it is refused, whatever its name; None for a file as it should be.
    fault: tuple[Rule, str] | None = None
    #: Bytes that it takes in the archive, None where it shares them with others.
    packed_bytes: int | None = None


def checked(listed: Iterable[ListedMember]) -> Directory:
    """Return a directory of what can be read, and the refusals.

    Raises ``UnreadableError`` for more members than the limit.
    """
    directory = Directory()
    taken: set[str] = set()
    for count, one in enumerate(listed, start=1):
        if count > MAX_MEMBERS:
            raise too_many(count)
        fault = one.fault or _fault(one)
        name = plain_member(one.raw_name)
        if fault is None and name in taken:
            directory.members.pop(name, None)
            fault = (
                Rule.DUPLICATE_MEMBER,
                (
                    "is in the archive more than once, and nothing shows which one is meant, so "
                    "none is read: unpack it and keep one"
                ),
            )
        taken.add(name)
        if fault is None:
            directory.members[name] = Member(name, one.size_bytes, one.stamp_ns)
        else:
            directory.refusals.append(Refusal(one.raw_name, *fault))
    return directory


def _fault(one: ListedMember) -> tuple[Rule, str] | None:
    unsafe = unsafe_member(one.raw_name)
    if unsafe is not None:
        return Rule.UNSAFE_MEMBER, f"{unsafe}; nothing is written or read there: rename it"
    if one.size_bytes > MAX_MEMBER_BYTES:
        limit = MAX_MEMBER_BYTES // 1024**3
        return Rule.ARCHIVE_BOMB, f"unpacks to more than {limit} GiB, the limit; split the file"
    if one.packed_bytes is not None and is_bomb(one.size_bytes, one.packed_bytes):
        return Rule.ARCHIVE_BOMB, (
            f"unpacks from {one.packed_bytes:,} to {one.size_bytes:,} bytes, more than "
            f"{MAX_RATIO} times as much, the limit; unpack it yourself if it is what it should be"
        )
    return None


def is_bomb(size_bytes: int, packed_bytes: int) -> bool:
    """Return whether something unpacks to more than the ratio allows."""
    return size_bytes > RATIO_FREE_BYTES and size_bytes > MAX_RATIO * packed_bytes


def too_many(count: int) -> UnreadableError:
    """Return the error of an archive of too many members."""
    return UnreadableError(
        f"announces {count:,} members or more; at most {MAX_MEMBERS:,} are read of one archive: "
        "unpack it and give the folder",
        cause=Rule.ARCHIVE_BOMB,
    )


def bomb(packed_bytes: int) -> UnreadableError:
    """Return the error of a stream that unpacks to too much."""
    return UnreadableError(
        f"unpacks to more than {MAX_RATIO} times its {packed_bytes / _MIB:.1f} MiB, the limit; "
        "unpack it yourself if it is what it should be",
        cause=Rule.ARCHIVE_BOMB,
    )


def broken(what: str, error: BaseException | None = None) -> UnreadableError:
    """Return the error of an archive that is not as it should be."""
    reason = f" ({shown(str(error))})" if error is not None and str(error) else ""
    return UnreadableError(f"{what}{reason}; copy it again", cause=Rule.BROKEN_ARCHIVE)
