"""A plan on disk, by the part that each entry belongs to: written once, read part by part.

A source is read once, whatever the number of parts, and only one part's journal is open at a time.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from bulkload.core.issues import Severity
from bulkload.core.plan_items import (
    CellMetadata,
    PlanItem,
    Problem,
    Skip,
    Specification,
    UploadJob,
)
from bulkload.journal.parts import part_of
from bulkload.lanes.limits import HELD_ITEMS

#: Where entries are kept that belong to no cell: what is rejected or left out before it has one.
WITHOUT_A_CELL = 0


class Shares:
    """The entries of a plan, divided among parts; the folder goes with the block."""

    def __init__(self, folder: Path, parts: int) -> None:
        self._folder = folder
        self._parts = parts
        self._held: dict[int, list[PlanItem]] = {}
        self._held_count = 0
        self._specifications: dict[str, Specification] = {}
        #: Which parts have a specification already: it goes where its cells are.
        self._given: set[tuple[str, int]] = set()
        #: Numbers of entries.
        self.jobs = 0
        self.skips = 0
        self.problems = 0

    def __enter__(self) -> Self:
        # What a run that died left behind is not this plan.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def put_all(self, items: Iterable[PlanItem], on_entry: Callable[[], None]) -> None:
        """Divide a plan; ``on_entry`` is called for each job and each skip."""
        for item in items:
            self._put(item)
            if isinstance(item, UploadJob | Skip):
                on_entry()
            if self._held_count >= HELD_ITEMS:
                self._write()
        self._write()

    def _put(self, item: PlanItem) -> None:
        match item:
            case UploadJob():
                self.jobs += 1
                part = part_of(item.key.spec, item.key.cell, self._parts)
                self._give_specification(item.key.spec, part)
                self._hold(part, item)
            case Specification():
                self._specifications[item.name] = item
                # One that is stated anew goes anew to those that have it.
                self._given = {pair for pair in self._given if pair[0] != item.name}
            case CellMetadata():
                self._hold(part_of(item.spec, item.cell, self._parts), item)
            case Skip():
                self.skips += 1
                self._hold(WITHOUT_A_CELL, item)
            case Problem():
                self.problems += item.severity is not Severity.WARNING
                self._hold(WITHOUT_A_CELL, item)

    def _give_specification(self, name: str, part: int) -> None:
        found = self._specifications.get(name)
        if found is not None and (name, part) not in self._given:
            self._given.add((name, part))
            self._hold(part, found)

    def _hold(self, part: int, item: PlanItem) -> None:
        self._held.setdefault(part, []).append(item)
        self._held_count += 1

    def _write(self) -> None:
        for part, items in self._held.items():
            with self._path(part).open("ab") as file:
                pickle.dump(items, file, protocol=pickle.HIGHEST_PROTOCOL)
        self._held, self._held_count = {}, 0

    def of(self, part: int) -> Iterator[PlanItem]:
        """Yield the entries of a part, in the order of the source."""
        path = self._path(part)
        if not path.exists():
            return
        with path.open("rb") as file:
            while file.peek(1):
                yield from pickle.load(file)  # noqa: S301 - written by this process, just before

    def _path(self, part: int) -> Path:
        return self._folder / f"{part:04d}.pickle"
