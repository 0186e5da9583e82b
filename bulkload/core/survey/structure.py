"""Which cell a path names where no sheet states the cells: by the structure of the archive.

Cells are siblings that are written alike and numbered (``LFP-01``, ``LFP-02``), under which the
same tests recur. Such siblings are looked for among folders first, then among the fields of the
names in one folder. What is found so is a proposal, sure only where folder and file agree.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulkload.core.survey.cells import KnownCells, canonical
from bulkload.core.survey.marks import MarkKind, marks
from bulkload.core.survey.vocabulary import (
    BATCH_WORDS,
    CELL_WORDS,
    GENERAL,
    SURE_TESTS,
    has_any,
)

#: Share of siblings that must be written alike for the family to count.
ALIKE_SHARE: Final = 0.6
#: Score from which a field of a name is proposed as the cell, of 1.
FIELD_SCORE: Final = 0.6
#: Distance to the next best field that makes a choice.
FIELD_MARGIN: Final = 0.1

_FIELD: Final = re.compile(r"[^_\s]+")
_HYPHENED: Final = re.compile(r"[^_\s-]+")
_DIGITS: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGuess:
    """The cell that the structure proposes for a path."""

    name: str
    component: int
    start: int
    end: int
    evidence: str
    is_sure: bool = False


def guess_cells(paths: Sequence[tuple[str, ...]]) -> dict[int, CellGuess]:
    """Return guesses by the index of the path; a path without one is left open.

    A path is its folders and the file's name without ending.
    """
    level_of = _folder_levels(paths)
    found = _first_guesses(paths, level_of)
    # A name found in one folder is looked for in the others, where the structure says nothing.
    known = KnownCells(guess.name for guess in found.values())
    for index, parts in enumerate(paths):
        if index not in found:
            named = known.find(parts)
            if len({one.name for one in named}) == 1:
                last = named[-1]
                found[index] = CellGuess(
                    name=last.name, component=last.component, start=last.start, end=last.end,
                    evidence="named like the cells of another folder",
                )  # fmt: skip
    return found


def _first_guesses(
    paths: Sequence[tuple[str, ...]], level_of: Mapping[tuple[str, ...], int]
) -> dict[int, CellGuess]:
    found: dict[int, CellGuess] = {}
    by_folder: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, parts in enumerate(paths):
        level = level_of.get(parts[:-1])
        if level is None:
            by_folder[parts[:-1]].append(index)
        else:
            found[index] = _of_folder(parts, level)
    for folder, indexes in by_folder.items():
        found |= _of_fields(folder, indexes, paths)
    return found


def shape(name: str) -> str:
    """Return how a name is written: its digits as ``#``."""
    return _DIGITS.sub("#", name.casefold())


def _folder_levels(paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Return, for each folder of files, which of its levels names the cell."""
    children: dict[tuple[str, ...], set[str]] = defaultdict(set)
    folders = {parts[:-1] for parts in paths}
    for folder in folders:
        for depth in range(len(folder)):
            children[folder[:depth]].add(folder[depth])
    families: dict[tuple[str, ...], set[str]] = {
        parent: _family(names) for parent, names in children.items()
    }
    series = _series_sizes(families)
    found: dict[tuple[str, ...], int] = {}
    for folder in folders:
        levels = [at for at in range(len(folder)) if folder[at] in families[folder[:at]]]
        if levels:
            # Of nested series the one with the most members over the whole archive: a cell has
            # few tests. Of two alike the outer one.
            found[folder] = max(levels, key=lambda at: (series[shape(folder[at])], -at))
    return found


def _series_sizes(families: Mapping[tuple[str, ...], set[str]]) -> Mapping[str, int]:
    """Return how many different names each series has, over all folders."""
    members: dict[str, set[str]] = defaultdict(set)
    for names in families.values():
        for name in names:
            members[shape(name)].add(name)
    return {form: len(names) for form, names in members.items()}


def _family(names: set[str]) -> set[str]:
    """Return those of sibling folders that look like the cells of one series."""
    fit = [name for name in names if _may_be_cell(name)]
    by_shape = Counter(shape(name) for name in fit)
    alike = {name for name in fit if by_shape[shape(name)] >= 2}
    return alike if len(alike) >= max(2, ALIKE_SHARE * len(names)) else set()


def _may_be_cell(name: str) -> bool:
    if not any(char.isdigit() for char in name):
        return False
    found = marks(name)
    if any(mark.kind in (MarkKind.DATE, MarkKind.TEMPERATURE) for mark in found):
        return False
    if found and found[0].start == 0 and found[0].end == len(name):
        return False
    if has_any(name, CELL_WORDS):
        return True
    has_letters = any(char.isalpha() for char in name)
    return has_letters and not has_any(name, SURE_TESTS | GENERAL | BATCH_WORDS)


def _of_folder(parts: tuple[str, ...], level: int) -> CellGuess:
    name, stem = parts[level], parts[-1]
    key = canonical(name)
    stem_key = canonical(stem)
    repeats = any(stem_key[at : at + len(key)] == key for at in range(len(stem_key)))
    return CellGuess(
        name=name,
        component=level,
        start=0,
        end=len(name),
        evidence="folder and file name agree" if repeats else "one of a series of folders",
        is_sure=repeats,
    )


@dataclass(frozen=True, slots=True)
class _Field:
    text: str
    start: int
    end: int


def _of_fields(
    folder: tuple[str, ...], indexes: Sequence[int], paths: Sequence[tuple[str, ...]]
) -> Mapping[int, CellGuess]:
    """Propose the field of the names in one folder that numbers cells."""
    for pattern in (_FIELD, _HYPHENED):
        found = _by_field(folder, indexes, {i: _fields(paths[i][-1], pattern) for i in indexes})
        if found:
            return found
    return {}


def _by_field(
    folder: tuple[str, ...], indexes: Sequence[int], split: Mapping[int, Sequence[_Field]]
) -> Mapping[int, CellGuess]:
    width = max((len(fields) for fields in split.values()), default=0)
    scored = sorted(((_score(list(split.values()), at), -at) for at in range(width)), reverse=True)
    if not scored or scored[0][0] < FIELD_SCORE:
        return {}
    if len(scored) > 1 and scored[0][0] - scored[1][0] < FIELD_MARGIN:
        return {}
    at = -scored[0][1]
    series = Counter(shape(fields[at].text) for fields in split.values() if at < len(fields))
    common = series.most_common(1)[0][0]
    fitting = {
        index: fields[at]
        for index, fields in split.items()
        if at < len(fields) and shape(fields[at].text) == common
    }
    evidence = f"{len(fitting)} of {len(indexes)} names have it in field {at + 1}"
    return {
        index: CellGuess(
            name=field.text, component=len(folder), start=field.start, end=field.end,
            evidence=evidence,
        )
        for index, field in fitting.items()
    }  # fmt: skip


def _fields(stem: str, pattern: re.Pattern[str]) -> list[_Field]:
    """Split a name at its separators, what its marks explain left out."""
    found = marks(stem)
    return [
        _Field(match[0], match.start(), match.end())
        for match in pattern.finditer(stem)
        if all(match.end() <= mark.start or match.start() >= mark.end for mark in found)
        and any(char.isalnum() for char in match[0])
    ]


def _score(names: Sequence[Sequence[_Field]], at: int) -> float:
    """Return how much the fields at a place look like the cells of one series, from 0 to 1."""
    values = [fields[at].text for fields in names if at < len(fields)]
    different = set(values)
    if len(different) < 2 or len(values) < ALIKE_SHARE * len(names):
        return 0.0
    fit = [value for value in values if _may_be_cell(value)]
    common = Counter(map(shape, fit)).most_common(1)
    alike = common[0][1] / len(names) if common else 0.0
    rests: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for fields in names:
        if at < len(fields):
            rest = tuple(field.text for place, field in enumerate(fields) if place != at)
            rests[rest].add(fields[at].text)
    shared = sum(len(cells) for cells in rests.values() if len(cells) > 1)
    recurring = shared / len(names)
    return alike * (0.4 + 0.6 * min(1.0, recurring))
