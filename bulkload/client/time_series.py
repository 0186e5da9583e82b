"""A time series with its metadata: checked, and written as Studio stores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from bulkload.client.arguments import checked_name, checked_tags
from bulkload.client.tables import as_table, without_infinities
from bulkload.encode import encode

if TYPE_CHECKING:
    from bulkload.client.limits import Limits

#: What validation wants to know and Studio does not.
LOCAL_KEYS = frozenset({"data_type"})


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
        paths = [folder / "time_series.parquet"]
        encode(self.time_series, paths[0])
        if self.steps is not None:
            paths.append(folder / "steps.parquet")
            encode(without_infinities(self.steps), paths[1])
        return paths


def check(detail: MeasurementDetail, limits: Limits) -> CheckedSeries:
    """Check a time series; :class:`MeasurementValidationError` where it breaks a rule."""
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
