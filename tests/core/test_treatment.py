"""What single measurements are given: as options, and one treatment after another."""

from __future__ import annotations

import pytest

from bulkload.core.treatment import Treatment, once

FULL = Treatment(
    transforms=("set_sign", "reset_time"),
    skip_checks=("a", "b"),
    reader="maccor",
    dialects="d.toml",
)


@pytest.mark.parametrize(
    ("treatment", "options"),
    [
        (Treatment(), ""),
        (Treatment(transforms=("set_sign",)), "--transform set_sign"),
        (Treatment(skip_checks=("a",)), "--skip-check a"),
        (Treatment(reader="maccor"), "--reader maccor"),
        (Treatment(dialects="d.toml"), "--dialects d.toml"),
        (
            FULL,
            "--transform set_sign,reset_time --skip-check a b --reader maccor --dialects d.toml",
        ),
    ],
)
def test_a_treatment_is_the_options_of_a_retry(treatment: Treatment, options: str) -> None:
    assert str(treatment) == options
    assert bool(treatment) == bool(options)


def test_what_is_chosen_later_comes_behind_or_in_its_place() -> None:
    later = Treatment(
        transforms=("reset_time", "sort_time"),
        skip_checks=("0", "b"),
        reader="neware",
        dialects="e.toml",
    )
    assert FULL.then(later) == Treatment(
        transforms=("set_sign", "reset_time", "sort_time"),
        skip_checks=("0", "a", "b"),
        reader="neware",
        dialects="e.toml",
    )
    assert FULL.then(Treatment()) == FULL
    assert Treatment().then(FULL) == FULL


def test_names_are_named_once_in_their_order() -> None:
    assert once(["b", "a", "b", "c", "a"]) == ("b", "a", "c")
