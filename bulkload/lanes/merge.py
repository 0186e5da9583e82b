"""Bring the parts of a job together that were run apart."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from bulkload.errors import SettingsError
from bulkload.journal import find
from bulkload.journal.copying import HistoryOrder, compare, copy_part
from bulkload.journal.lock import exclusive
from bulkload.journal.parts import JobLayout, part_folder, read_layout, write_layout


class Taken(StrEnum):
    """What became of a part of another folder."""

    COPIED = "copied"
    #: It went on from what was here.
    BROUGHT_UP_TO_DATE = "brought up to date"
    #: What is here has all of it.
    KNOWN = "there already"


def merge(job_dir: Path, others: Sequence[Path]) -> Counter[Taken]:
    """Copy the parts of other folders of the same job into one; return what became of them.

    A part that both have is taken from the one that went on from the other. Doing it again
    changes nothing. Raises ``SettingsError`` for a folder of another job, one that holds no part,
    or a part that was run in both apart, before anything of that folder is copied.

    Side effects: part folders, and ``job.json`` where there was none.
    """
    if not others:
        raise SettingsError(f"name the folders whose parts are to be merged into {job_dir}")
    taken: Counter[Taken] = Counter()
    job_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(job_dir):
        for other in others:
            layout = _check_same_job(job_dir, other)
            found = [part for part in range(layout.parts) if find(part_folder(other, part))]
            if not found:
                raise SettingsError(f"{other} holds no part of the job: copy its part folders too")
            _check_not_apart(job_dir, other, found)
            for part in found:
                source = part_folder(other, part)
                with exclusive(source):
                    taken[_take(source, part_folder(job_dir, part))] += 1
    return taken


def _check_same_job(job_dir: Path, other: Path) -> JobLayout:
    theirs, ours = read_layout(other), read_layout(job_dir)
    if theirs is None:
        raise SettingsError(f"{other} is not the folder of a job of several parts")
    if other.resolve() == job_dir.resolve():
        raise SettingsError(f"{other} is the folder that the others are to be merged into")
    if ours is None:
        if find(job_dir) is not None:
            raise SettingsError(f"{job_dir} is a job of one part: give a new folder, or that job's")
        write_layout(job_dir, theirs)
    elif (ours.id, ours.parts) != (theirs.id, theirs.parts):
        raise SettingsError(
            f"{other} is of another job than {job_dir}: other sources, another target, or "
            f"{theirs.parts:,} parts instead of {ours.parts:,}; nothing of it was copied"
        )
    return theirs


def _check_not_apart(job_dir: Path, other: Path, parts: Iterable[int]) -> None:
    for part in parts:
        ours, theirs = part_folder(job_dir, part), part_folder(other, part)
        if find(ours) is not None and compare(theirs, ours) is HistoryOrder.APART:
            raise SettingsError(
                f"part {part:04d} was run in both {job_dir} and {other}, each without the other: "
                f"their journals differ, and nothing of {other} was copied; keep the one that is "
                "to count, and move the other away"
            )


def _take(source: Path, place: Path) -> Taken:
    """Copy a part to its place, unless what is there has all of it."""
    new, old = place.with_name(f"{place.name}.new"), place.with_name(f"{place.name}.old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    if find(place) is None:
        copy_part(source, new)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
        return Taken.COPIED
    if compare(source, place) is not HistoryOrder.LATER:
        return Taken.KNOWN
    with exclusive(place):
        copy_part(source, new)
    # Killed between the two, the part is missing here, and the next merge copies it again.
    place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return Taken.BROUGHT_UP_TO_DATE
