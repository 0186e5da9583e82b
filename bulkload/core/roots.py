"""Causes by root: what rejected files have in common, all their findings at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

#: Stands between the codes of a root's name.
ROOT_MARK: Final = "+"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSource:
    """A source that was rejected when it was read."""

    cause: str
    message: str
    #: Codes of all findings, in their order; empty where it could not be read.
    codes: tuple[str, ...]
    #: The options of a retry with which it would pass, empty where none was found.
    remedy: str
    tries: int
    is_accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Rejected sources with the same findings and the same remedy."""

    cause: str
    codes: tuple[str, ...]
    remedy: str
    is_tried: bool
    count: int
    accepted: int
    #: Messages of the first ones.
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """The cause, or all findings where there are several: what a retry takes."""
        return root_name(self.cause, self.codes)

    @property
    def statement(self) -> str:
        """What is wrong with the sources, and what would let them pass, as tried."""
        words = ", ".join(code.replace("_", " ") for code in self.codes or (self.cause,))
        if self.remedy:
            return f"{words}; would pass with {self.remedy}"
        if self.is_tried:
            return f"{words}; no transform and no skipped check helps"
        return words


def root_name(cause: str, codes: Iterable[str]) -> str:
    """Return the name of a root."""
    return ROOT_MARK.join(dict.fromkeys(codes)) or cause


def retry_command(job_dir: str, root: Root, *, is_only: bool) -> str:
    """Return the command that sends the sources of a root, empty where none was found.

    ``is_only``: its cause has no other root, so that the cause names it.
    """
    if not root.remedy:
        return ""
    words = ["bulkload", "retry", job_dir, "--cause", root.cause if is_only else root.name]
    return f"{shlex.join(words)} {root.remedy}"


def roots(sources: Iterable[RejectedSource], each: int) -> list[Root]:
    """Return the roots of rejected sources, the commonest first, with ``each`` examples."""
    found: dict[tuple[str, tuple[str, ...], str, bool], list[int]] = {}
    kept: dict[tuple[str, tuple[str, ...], str, bool], list[str]] = {}
    for one in sources:
        key = one.cause, tuple(dict.fromkeys(one.codes)), one.remedy, one.tries > 0
        counts = found.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += one.is_accepted
        if len(shown := kept.setdefault(key, [])) < each:
            shown.append(one.message)
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    return [
        Root(
            cause=cause,
            codes=codes,
            remedy=remedy,
            is_tried=is_tried,
            count=counts[0],
            accepted=counts[1],
            examples=tuple(kept[cause, codes, remedy, is_tried]),
        )
        for (cause, codes, remedy, is_tried), counts in ordered
    ]


def by_cause(found: Iterable[Root]) -> Mapping[str, list[Root]]:
    """Return roots that have something to say beside their cause, by cause."""
    grouped: dict[str, list[Root]] = {}
    for root in found:
        grouped.setdefault(root.cause, []).append(root)
    return {
        cause: group
        for cause, group in grouped.items()
        if len(group) > 1 or len(group[0].codes) > 1 or group[0].is_tried
    }
