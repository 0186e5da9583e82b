"""Names that deceive the eye are warned about, and twins are told apart by their code points."""

from __future__ import annotations

import unicodedata

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write
from tests.jobs import Jobs


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("\u202e", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("\u00ad", "U+00AD (SOFT HYPHEN)"),
    ],
)
def test_an_invisible_character_is_warned_about(
    character: str, said: str, jobs: Jobs, studio: LocalStudio
) -> None:
    archive(jobs.folder / "archive", measurements=1)
    cell = jobs.folder / "archive/spec 0/cell 0"
    (cell / "run 0.csv").rename(cell / f"run{character}0.csv")
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 0
    assert f"contains {said}" in ended.out
    assert character not in ended.out


def test_twins_of_two_unicode_forms_are_told_apart(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=4)
    cell = jobs.folder / "archive/spec 0/cell 0"
    write(cell / f"{unicodedata.normalize('NFC', 'Zelle é')}.csv", series(seed=8))
    write(cell / f"{unicodedata.normalize('NFD', 'Zelle é')}.csv", series(seed=9))
    jobs.use(studio)
    ended = jobs.upload("archive")
    assert ended.code == 3
    assert ended.counts == {"created": 4, "rejected": 2}
    assert "U+00E9" in ended.out
    assert "U+0065 U+0301" in ended.out
