"""A specification, batch or instance that a run made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parent:
    """What is needed to find it again, and to see whether somebody changed it since."""

    #: ``cell_specification``, ``cell_batch`` or ``cell_instance``.
    kind: str
    id: str
    name: str
    parent_id: str | None
    updated_at: str | None
