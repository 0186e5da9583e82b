"""What a 409 means, told from its body alone."""

from __future__ import annotations

from typing import Any

import pytest

from bulkload.core.conflict import agrees, existing_id, is_duplicate_name, same_name

STANDARD = {
    "error_code": "CONFLICT",
    "message": "dup",
    "detail": {"resource_type": "cell_specification", "resource_name": "A", "existing_id": "s-1"},
}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (STANDARD, "s-1"),
        ({"detail": STANDARD}, "s-1"),
        ({"existing_cell_specification_id": "s-2"}, "s-2"),
        ({"error_code": "CONFLICT", "detail": {"existing_cell_instance_id": "i-1"}}, "i-1"),
        ({"existing_cell_instance_id": "old", "detail": {"existing_id": "new"}}, "new"),
        ({"detail": {"existing_id": 42}}, "42"),
        ({"existing_id": "outer", "detail": {"existing_id": "s-1"}}, "s-1"),
        ({"detail": {"existing_cell_batch_id": "old", "existing_id": "new"}}, "new"),
        ({"detail": {"existing_id": " "}, "existing_cell_instance_id": "old"}, "old"),
        ({"detail": {"existing_cell_instance_id": 42}}, "42"),
        ({"detail": {"existing_id": {"id": "x"}}}, None),
        ({"detail": {"existing_id": None}}, None),
        ({"detail": {"existing_id": ""}}, None),
        ({"detail": {"existing_id": True}}, None),
        ({"detail": "already exists"}, None),
        ({"detail": [{"existing_id": "x"}]}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_id_is_read_under_every_key_at_every_level(
    body: dict[str, Any] | None, found: str | None
) -> None:
    assert existing_id(body) == found


@pytest.mark.parametrize(
    ("body", "message", "name", "is_duplicate"),
    [
        (STANDARD, "name exists", "A", True),
        (None, "name exists", "A", True),
        ({"detail": {"channel_id": "c"}}, "conflict", "A", False),
        ({"detail": {"cycler_id": "c"}}, "conflict", "A", False),
        ({"cycler_id": "c"}, "conflict", "A", False),
        ({"detail": {"resource_type": "cycler"}}, "conflict", "A", False),
        ({"detail": {"resource_type": "channel"}}, "conflict", "A", False),
        ({"detail": "x"}, "Channel 5 is out of commission", "A", False),
        (None, "the run overlaps 'RPT 0'", "RPT 0", False),
        (None, "a measurement named 'channel 5' exists", "channel 5", True),
        (None, "", "", True),
    ],
)
def test_equipment_is_never_a_duplicate_name(
    body: dict[str, Any] | None,
    message: str,
    name: str,
    is_duplicate: bool,  # noqa: FBT001
) -> None:
    assert is_duplicate_name(body, message, name) is is_duplicate


def test_names_are_the_same_whatever_their_case_blanks_and_unicode_form() -> None:
    assert same_name("Lot A", " LOT a ")
    assert same_name("Gr\u00fcn", "Gru\u0308n")
    assert not same_name("Lot A", "Lot B")


@pytest.mark.parametrize(
    ("sent", "stored", "is_same"),
    [
        ({"name": "A"}, {"name": "A", "id": "1"}, True),
        ({"name": "A"}, {"name": "B"}, False),
        ({"name": "A", "batch": "x"}, {"name": "A"}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1.0, "c": 2}}, True),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
        ({"day": "2024-01-20"}, {"day": "2024-01-20T00:00:00Z"}, True),
        ({"day": "2024-01-20"}, {"day": "2024-01-21T00:00:00Z"}, False),
        ({"notes": None}, {"notes": "x"}, True),
        ({"notes": "x"}, {"notes": None}, True),
        ({"flag": True}, {"flag": False}, False),
        ({"flag": True}, {"flag": True}, True),
        # One and "true" are not the same statement as True.
        ({"flag": True}, {"flag": 2}, False),
        ({"flag": "yes"}, {"flag": False}, False),
        # Nested otherwise, or of another kind: nothing is contradicted.
        ({"a": {"b": 1}}, {"a": 1}, True),
        ({"a": 1}, {"a": {"b": 1}}, True),
        ({"a": 1}, {"a": "1"}, True),
        ({"a": "1"}, {"a": 1}, True),
        ({"a": None}, {"a": 1}, True),
        ({"a": 1}, {"a": None}, True),
        ({"day": "2024-01-20 08:00"}, {"day": "2024-01-20T08:00:00Z"}, True),
        ({"day": "2024-01-20"}, {"day": "2024-01-2"}, False),
        ({"tags": ["b", "a"]}, {"tags": ["a", "b"]}, True),
    ],
)
def test_a_stored_record_agrees_unless_a_field_of_both_differs(
    sent: dict[str, Any],
    stored: dict[str, Any],
    is_same: bool,  # noqa: FBT001
) -> None:
    assert agrees(sent, stored) is is_same
