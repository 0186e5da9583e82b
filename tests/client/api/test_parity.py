"""Every call of the vendor's client that touches an upload is here, or left out with a reason."""

from __future__ import annotations

from scripts import parity_table


def test_nothing_is_left_out_without_a_reason() -> None:
    assert parity_table.problems(list(parity_table.rows())) == []


def test_no_reason_is_given_for_what_is_not_there_any_more() -> None:
    table = list(parity_table.rows())
    left_out = {row.call for row in table if row.ours == "left out"}
    assert parity_table.LEFT_OUT_CALLS.keys() == left_out


def test_each_create_has_a_create_or_get() -> None:
    ours = parity_table.only_ours()
    for name in ("create_or_get_properties", "create_or_get_file"):
        assert f"cell_measurement.{name}" in ours
