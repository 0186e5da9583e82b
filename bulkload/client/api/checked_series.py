"""A time series with its metadata: checked, and written as Studio stores it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bulkload.client.api.arguments import checked_name, checked_tags
from bulkload.client.api.records import CellInstance, CellSpecification
from bulkload.client.http.bodies import join_path
from bulkload.core import ratings
from bulkload.core.ratings import UnknownUnitError

if TYPE_CHECKING:
    import pyarrow as pa

    from bulkload.client.http.caller import Caller

#: What validation wants to know and Studio does not.
LOCAL_KEYS = frozenset({"data_type"})


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """How a time series is checked."""

    strict: bool
    #: In A.h.
    rated_capacity: float | None
    #: Lower and upper limit, in V.
    voltage_window: tuple[float, float] | None
    skip_checks: Iterable[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementDetail:
    """What is to be uploaded as one time-series measurement."""

    #: What goes out beside the data.
    metadata: Mapping[str, Any]
    data_type: str | None
    time_series: Any
    steps: Any

    @property
    def name(self) -> str:
        """The measurement's name."""
        return str(self.metadata["name"])

    @classmethod
    def of(cls, detail: Mapping[str, Any]) -> Self:
        """Read the documented dictionary; ValueError where a part is missing."""
        measurement = detail.get("measurement")
        if not isinstance(measurement, Mapping):
            raise TypeError("measurement_detail needs a 'measurement': a dict with a name")
        if detail.get("time_series") is None:
            raise ValueError("measurement_detail needs a 'time_series'")
        checked_name(measurement, "measurement")
        metadata = {key: value for key, value in measurement.items() if key not in LOCAL_KEYS}
        if "tags" in metadata:
            metadata["tags"] = checked_tags(metadata["tags"])
        return cls(
            metadata=metadata,
            data_type=measurement.get("data_type"),
            time_series=detail["time_series"],
            steps=detail.get("steps"),
        )


@dataclass(frozen=True, slots=True)
class CheckedSeries:
    """A time series that passed the checks, with its steps where the caller gave them."""

    detail: MeasurementDetail
    time_series: pa.Table
    steps: pa.Table | None

    def write(self, folder: Path) -> Sequence[Path]:
        """Write the tables under their names in Studio."""
        from bulkload.tables.arrow import without_infinities
        from bulkload.tables.parquet import encode

        paths = [folder / "time_series.parquet"]
        encode(self.time_series, paths[0])
        if self.steps is not None:
            paths.append(folder / "steps.parquet")
            encode(without_infinities(self.steps), paths[1])
        return paths


def check(detail: MeasurementDetail, limits: CheckLimits) -> CheckedSeries:
    """Check a time series; :class:`MeasurementValidationError` where it breaks a rule."""
    from bulkload.tables.arrow import as_table
    from bulkload.validators import validate_measurement_data

    time_series = as_table(detail.time_series)
    steps = None if detail.steps is None else as_table(detail.steps)
    validate_measurement_data(
        time_series,
        strict=limits.strict,
        data_type=detail.data_type,
        steps_df=steps,
        rated_capacity=limits.rated_capacity,
        voltage_window=limits.voltage_window,
        skip_checks=limits.skip_checks,
        start_time=detail.metadata.get("start_time"),
        end_time=detail.metadata.get("end_time"),
    )
    return CheckedSeries(detail, time_series, steps)


async def limits_of_cell(
    caller: Caller, cell_instance_id: str, limits: CheckLimits, detail: MeasurementDetail
) -> CheckLimits:
    """Fill in from the ratings what a check needs and was not given."""
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
