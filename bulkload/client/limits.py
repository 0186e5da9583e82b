"""What the strict checks want to know of a cell, taken from its specification where not given."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bulkload.client.bodies import join_path
from bulkload.client.records import CellInstance, CellSpecification
from bulkload.core import ratings
from bulkload.core.ratings import UnknownUnitError

if TYPE_CHECKING:
    from bulkload.client.caller import Caller
    from bulkload.client.time_series import MeasurementDetail


@dataclass(frozen=True, slots=True)
class Limits:
    """How a time series is checked."""

    strict: bool
    #: In A.h.
    rated_capacity: float | None
    #: Lower and upper limit, in V.
    voltage_window: tuple[float, float] | None
    skip_checks: Iterable[str] | None


async def limits_of_cell(
    caller: Caller, cell_instance_id: str, limits: Limits, detail: MeasurementDetail
) -> Limits:
    """Fill in from the ratings what a check needs and nobody gave; costs nothing otherwise."""
    needs_capacity = limits.rated_capacity is None and (
        detail.steps is not None or detail.data_type == "eis"
    )
    needs_window = limits.voltage_window is None and detail.data_type not in ("eis", "ocp")
    if not limits.strict or not (needs_capacity or needs_window):
        return limits
    stated = await _ratings(caller, cell_instance_id)
    if needs_capacity:
        limits = replace(limits, rated_capacity=_usable(ratings.rated_capacity, stated))
    if needs_window:
        limits = replace(limits, voltage_window=_usable(ratings.voltage_window, stated))
    return limits


async def _ratings(caller: Caller, cell_instance_id: str) -> Mapping[str, Any] | None:
    answer = await caller.call("GET", join_path("cell_instances", cell_instance_id))
    spec_id = CellInstance.parse(answer).cell_specification_id
    answer = await caller.call("GET", join_path("cell_specifications", spec_id))
    return CellSpecification.parse(answer).ratings


def _usable(read: Any, stated: Mapping[str, Any] | None) -> Any:
    try:
        return read(stated)
    except UnknownUnitError as error:
        warnings.warn(f"{error}: the checks that need it are left out", stacklevel=2)
        return None
