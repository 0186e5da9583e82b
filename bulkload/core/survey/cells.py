"""Which cell a path names, by the names that a sheet of cells states.

Names are compared as people write them: ``LFP_03``, ``lfp-3`` and ``LFP 03`` are one name, unless
the sheet itself distinguishes them. A name counts only as a whole: ``LFP-1`` is not in ``LFP-12``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bulkload.core.survey.vocabulary import CELL_WORDS

_RUN: Final = re.compile(r"[^\W\d_]+|\d+")
#: Names of fewer letters than this, or of digits alone, may stand anywhere by chance.
_DISTINCTIVE_CHARACTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Run:
    """Letters or digits in a row."""

    #: Case folded; of digits without leading zeros.
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A cell's name found in a component of a path."""

    name: str
    #: Index of the component and bounds in it.
    component: int
    start: int
    end: int
    #: Other cells of the sheet that are written alike.
    others: tuple[str, ...] = ()


def runs(text: str) -> list[Run]:
    """Return the runs of letters and of digits of a text."""
    return [_run(found) for found in _RUN.finditer(text)]


def canonical(name: str) -> tuple[str, ...]:
    """Return what a name is compared by."""
    return tuple(run.text for run in runs(unicodedata.normalize("NFKC", name)))


class KnownCells:
    """Finds the names of a sheet's cells in paths."""

    def __init__(self, names: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        self.names = tuple(dict.fromkeys(names))
        #: Second name -> name.
        self._aliases = dict(aliases or {})
        self._by_key: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in dict.fromkeys((*self.names, *self._aliases)):
            if key := canonical(name):
                self._by_key[key].append(name)
        #: Number of a name of a word and a number -> the word, and the name.
        self._numbered: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key, written in self._by_key.items():
            if len(key) == 2 and key[1].isdigit():
                self._numbered[key[1]] += [(key[0], self._aliases.get(one, one)) for one in written]
        self._longest = max(map(len, self._by_key), default=0)
        #: Names of digits alone by their number: they count after the word "cell" too.
        self._starts = {key[0] for key in self._by_key}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def find(self, components: Sequence[str]) -> list[NamedCell]:
        """Return the names found in a path's components (the file's without its ending)."""
        found: list[NamedCell] = []
        for index, component in enumerate(components):
            found += self._in(component, index)
        return found

    def whole(self, text: str) -> str | None:
        """Return the cell that a text names as a whole."""
        names = self._by_key.get(canonical(text), ())
        found = text if text in names else names[0] if len(names) == 1 else None
        return None if found is None else self._aliases.get(found, found)

    def abbreviated(self, text: str) -> str | None:
        """Return the cell whose name a text shortens, as Z15 does Zelle 15; None for several."""
        key = canonical(text)
        if len(key) != 2 or not key[0].isalpha():
            return None
        found = {name for word, name in self._numbered.get(key[1], ()) if word.startswith(key[0])}
        return found.pop() if len(found) == 1 else None

    def _in(self, component: str, index: int) -> list[NamedCell]:
        text = component if component.isascii() else unicodedata.normalize("NFC", component)
        parts = runs(text)
        found, at = list[NamedCell](), 0
        while at < len(parts):
            length = self._match(text, parts, at)
            if length:
                named = self._named(text, parts[at : at + length], index)
                if at and parts[at - 1].text in CELL_WORDS:
                    # The word before the name belongs to it: "Zelle 7".
                    named = replace(named, start=parts[at - 1].start)
                found.append(named)
            at += length or 1
        return found

    def _match(self, text: str, parts: Sequence[Run], at: int) -> int:
        if parts[at].text not in self._starts:
            return 0
        for length in range(min(self._longest, len(parts) - at), 0, -1):
            key = tuple(run.text for run in parts[at : at + length])
            if key in self._by_key and _stands_alone(text, parts, at, length):
                return length
        return 0

    def _named(self, text: str, parts: Sequence[Run], index: int) -> NamedCell:
        start, end = parts[0].start, parts[-1].end
        names = self._by_key[tuple(run.text for run in parts)]
        exact = [name for name in names if name == text[start:end]]
        written = exact or names
        name, *others = dict.fromkeys(self._aliases.get(name, name) for name in written)
        return NamedCell(name, index, start, end, tuple(others))


def _run(found: re.Match[str]) -> Run:
    text = found[0]
    plain = (text.lstrip("0") or "0") if text[0].isdigit() else text.casefold()
    return Run(plain, found.start(), found.end())


def _stands_alone(text: str, parts: Sequence[Run], at: int, length: int) -> bool:
    """Return whether a name ends where its letters and digits do, and is not a number by chance."""
    start, end = parts[at].start, parts[at + length - 1].end
    if start and text[start - 1].isalnum():
        return False
    if end < len(text) and text[end].isalnum():
        return False
    # 3.5 is a number, and 3.5C too.
    if text[end - 1].isdigit() and re.match(r"[.,]\d", text[end:]) and length == 1:
        return False
    key = [run.text for run in parts[at : at + length]]
    is_plain = all(part.isdigit() for part in key) or len("".join(key)) < _DISTINCTIVE_CHARACTERS
    if not is_plain or (start == 0 and end == len(text)):
        return True
    is_distinctive = any(part.isdigit() for part in key) and any(part.isalpha() for part in key)
    return is_distinctive or (at > 0 and parts[at - 1].text in CELL_WORDS)
