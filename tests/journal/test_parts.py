"""The parts of a job: where their folders are, and which cell belongs to which."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bulkload.errors import JournalError
from bulkload.journal.parts import (
    JOB_NAME,
    JobLayout,
    part_folders,
    part_of,
    read_layout,
    write_layout,
)


def test_a_job_of_one_part_is_its_own_folder(tmp_path: Path) -> None:
    assert read_layout(tmp_path) is None
    assert part_folders(tmp_path) == (tmp_path,)


def test_a_job_of_three_parts_has_three_folders(tmp_path: Path) -> None:
    layout = JobLayout(parts=3, is_planned=True, id="a1")
    write_layout(tmp_path, layout)
    assert read_layout(tmp_path) == layout
    assert part_folders(tmp_path) == tuple(
        tmp_path / "parts" / name for name in ("0000", "0001", "0002")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be interpreted"),
        ("[1]", "cannot be interpreted"),
        ('{"version": 1, "parts": 2}', "cannot be interpreted"),
        ('{"version": 1, "parts": 0, "is_planned": true, "id": "a"}', "0 parts"),
        ('{"version": 1, "parts": 4097, "is_planned": true, "id": "a"}', "4097 parts"),
        ('{"version": 2, "parts": 2, "is_planned": true, "id": "a"}', "another version"),
    ],
)
def test_a_damaged_job_json_is_never_taken_for_a_job_of_one_part(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / JOB_NAME).write_text(text, "utf-8")
    with pytest.raises(JournalError, match=said):
        part_folders(tmp_path)


def test_a_cell_belongs_to_the_same_part_in_every_version() -> None:
    """Written out: another hash would let a grown archive be sent twice."""
    assert [part_of("spec", f"cell {n}", 16) for n in range(8)] == [0, 11, 4, 10, 6, 3, 9, 2]
    # The names are told apart where they meet.
    assert part_of("ab", "c", 4096) != part_of("a", "bc", 4096)


def test_a_name_that_is_no_text_has_a_part_too() -> None:
    """A path of bytes that are no UTF-8, as Python gives it: a lone surrogate."""
    assert part_of("spec", "cell \udce9", 16) == 10


@pytest.mark.parametrize("parts", [1, 4096])
def test_a_job_has_as_many_parts_as_its_folders_bear(parts: int, tmp_path: Path) -> None:
    write_layout(tmp_path, JobLayout(parts=parts, is_planned=False, id="a1"))
    assert len(part_folders(tmp_path)) == parts
    assert part_folders(tmp_path)[-1] == tmp_path / "parts" / f"{parts - 1:04}"


def test_cells_are_spread_evenly() -> None:
    found = Counter(part_of("spec", f"cell {n}", 8) for n in range(8000))
    assert set(found) == set(range(8))
    assert all(900 < count < 1100 for count in found.values())
