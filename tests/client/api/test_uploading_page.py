"""The vendor's page on uploading, block by block, by meaning: after one changed import it holds.

Each block runs with ``bulkload.Studio`` and, awaited, with ``bulkload.AsyncStudio``.
"""

from __future__ import annotations

import gzip
import inspect
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bulkload
from bulkload.client.studio import AsyncStudio
from bulkload.client.sync import Studio
from bulkload.errors import ConflictError, IonworksError, MeasurementValidationError
from bulkload.localstudio import LocalStudio
from bulkload.validators import STRICT_CHECK_NAMES, validate_time_series_row_count
from tests.client.api.conftest import StartStudio
from tests.client.api.samples import DOCUMENTED, SPEC, charge_and_discharge

pytestmark = pytest.mark.anyio

MEASUREMENT = {
    "name": "Formation Cycle 1",
    "protocol": {"name": "CC-CV charge at C/10 to 4.2V", "ambient_temperature_degc": 25},
    "test_setup": {"cycler": "Biologic VMP3", "operator": "Jane Smith"},
    "notes": "Formation cycle - first charge",
}
INSTANCE = {
    "name": "NCM622-GR-001",
    "batch": "BATCH-2024-001",
    "date_manufactured": "2024-01-20",
    "measured_properties": {
        "cathode": {"loading": {"value": 12.1, "unit": "mg/cm**2"}},
        "anode": {"loading": {"value": 6.4, "unit": "mg/cm**2"}},
    },
}


class Docs:
    """The client of the page: each call is awaited where the client asks for that."""

    def __init__(self, client: Any, studio: LocalStudio) -> None:
        self.client = client
        self.studio = studio

    async def call(self, path: str, *args: Any, **kwargs: Any) -> Any:
        """Call ``client.<path>``."""
        method = self.client
        for part in path.split("."):
            method = getattr(method, part)
        answer = method(*args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer

    async def cell(self) -> Any:
        """Steps 1 and 2 of the page."""
        spec = await self.call("cell_spec.create_or_get", SPEC)
        return await self.call("cell_instance.create_or_get", spec.id, INSTANCE)

    async def names(self, cell: Any) -> list[str]:
        """Name what is there."""
        listed = await self.call("cell_measurement.list", cell.id)
        return [each.name for each in listed]


@pytest.fixture(params=["sync", "async"])
async def docs(request: pytest.FixtureRequest, studio: LocalStudio) -> AsyncIterator[Docs]:
    arguments = (studio.api_key, studio.url, studio.project_id)
    async with AsyncExitStack() as stack:
        if request.param == "sync":
            yield Docs(stack.enter_context(Studio(*arguments)), studio)
        else:
            yield Docs(await stack.enter_async_context(AsyncStudio(*arguments)), studio)


def measurement_data(series: Any = None, **more: Any) -> dict[str, Any]:
    time_series = pd.DataFrame(DOCUMENTED) if series is None else series
    return {"measurement": MEASUREMENT, "time_series": time_series, **more}


async def test_step_1_and_2_create_or_get_specification_and_cell(docs: Docs) -> None:
    spec = await docs.call("cell_spec.create_or_get", SPEC)
    assert spec.ratings["capacity"] == {"value": 0.002, "unit": "A*h"}
    whole = await docs.call("cell_spec.get", spec.id)
    assert whole.cathode["material"]["name"] == "NCM622"
    assert whole.anode["properties"]["loading"]["value"] == 6.5
    cell = await docs.call("cell_instance.create_or_get", spec.id, INSTANCE)
    assert cell.batch == "BATCH-2024-001"
    assert cell.date_manufactured.startswith("2024-01-20")
    assert cell.measured_properties["anode"]["loading"]["value"] == 6.4
    assert (await docs.call("cell_spec.create_or_get", SPEC)).id == spec.id
    assert (await docs.call("cell_instance.create_or_get", spec.id, INSTANCE)).id == cell.id


async def test_step_3_uploads_and_prints(docs: Docs) -> None:
    cell = await docs.cell()
    bundle = await docs.call("cell_measurement.create", cell.id, measurement_data())
    assert bundle.measurement.name == "Formation Cycle 1"
    assert isinstance(bundle.steps_created, int)
    assert bundle.measurement.reference == f"db:{bundle.id}"
    record = await docs.call("cell_measurement.get", bundle.id)
    assert record.protocol == MEASUREMENT["protocol"]
    assert record.test_setup == MEASUREMENT["test_setup"]
    assert record.notes == MEASUREMENT["notes"]
    stored = await docs.call("cell_measurement.time_series", bundle.id)
    pd.testing.assert_frame_equal(stored.to_pandas(), pd.DataFrame(DOCUMENTED))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frame: frame.assign(**{"Current [A]": 0.002}), "current_sign_reversed"),
        (
            lambda frame: frame.assign(**{"Time [s]": frame["Time [s]"] + 1}),
            "time_does_not_start_at_zero",
        ),
        (lambda frame: frame.assign(**{"Time [s]": [0, 2, 1, 3, 4, 5]}), "time_not_monotonic"),
        (lambda frame: frame.drop(columns="Step count"), "step_count_missing"),
        (lambda frame: frame.assign(**{"Step count": 1}), "step_count_does_not_start_at_zero"),
        (
            lambda frame: frame.assign(**{"Step count": [0, 0, 0, 2, 2, 2]}),
            "step_count_non_sequential",
        ),
        (
            lambda frame: frame.assign(**{"Charge capacity [A.h]": np.arange(6) / 1000}),
            "cumulative_value_not_reset",
        ),
    ],
)
async def test_always_on_checks_stop_the_upload(docs: Docs, change: Any, code: str) -> None:
    cell = await docs.cell()
    long = pd.DataFrame(
        {
            "Time [s]": np.arange(6.0),
            "Voltage [V]": np.linspace(3.0, 4.2, 6),
            "Current [A]": -0.002,
            "Step count": [0, 0, 0, 1, 1, 1],
        }
    )
    if code == "current_sign_reversed":
        # Three rows of a step are too few for the sign to be told.
        long["Step count"] = 0
    for method in ("create", "create_or_get"):
        before = docs.studio.requests.by_endpoint["measurement.initiate"]
        with pytest.raises(MeasurementValidationError) as caught:
            await docs.call(f"cell_measurement.{method}", cell.id, measurement_data(change(long)))
        assert code in {str(error.code) for error in caught.value.errors}
        assert docs.studio.requests.by_endpoint["measurement.initiate"] == before


async def test_strict_validation_with_and_without_cell_context(docs: Docs) -> None:
    cell = await docs.cell()
    data = measurement_data(charge_and_discharge())
    bundle = await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)
    assert bundle.was_created
    spec = await docs.call("cell_spec.get", cell.cell_specification_id)
    ratings = spec.ratings
    again = await docs.call(
        "cell_measurement.create_or_get",
        cell.id,
        data,
        validate_strict=True,
        rated_capacity=ratings["capacity"]["value"],
        voltage_window=(ratings["voltage_min"]["value"], ratings["voltage_max"]["value"]),
    )
    assert (again.id, again.was_created) == (bundle.id, False)


async def test_strict_checks_of_a_single_row_step_and_a_changing_cycle(docs: Docs) -> None:
    cell = await docs.cell()
    frame = charge_and_discharge()
    frame["Cycle count"] = np.arange(len(frame)) // 60
    frame.loc[len(frame) - 1, "Step count"] = 2
    with pytest.raises(MeasurementValidationError) as caught:
        await docs.call(
            "cell_measurement.create", cell.id, measurement_data(frame), validate_strict=True
        )
    codes = {str(error.code) for error in caught.value.errors}
    assert {"step_too_few_points", "cycle_changes_within_step"} <= codes


async def test_one_check_is_skipped_and_an_unknown_name_refused(docs: Docs) -> None:
    cell = await docs.cell()
    documented = {
        "minimum_points_per_step",
        "cycle_constant_within_step",
        "time_gaps",
        "voltage_continuity",
        "consecutive_same_direction_full_steps",
        "step_capacity_within_rated",
    }
    assert documented <= STRICT_CHECK_NAMES
    data = measurement_data(with_gap())
    with pytest.raises(MeasurementValidationError):
        await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)
    bundle = await docs.call(
        "cell_measurement.create", cell.id, data, validate_strict=True, skip_checks={"time_gaps"}
    )
    assert bundle.was_created
    for wrong in ({"no_such_check"}, "time_gaps"):
        with pytest.raises(ValueError, match="skip_checks"):
            await docs.call("cell_measurement.create", cell.id, data, skip_checks=wrong)


async def test_create_tells_of_a_duplicate_with_the_documented_body(docs: Docs) -> None:
    spec = await docs.call("cell_spec.create", SPEC)
    with pytest.raises(ConflictError) as caught:
        await docs.call("cell_spec.create", SPEC)
    error = caught.value
    assert isinstance(error, IonworksError)
    assert (error.status_code, error.error_code) == (409, "CONFLICT")
    assert error.data is not None
    assert error.data["detail"] == {
        "resource_type": "cell_specification",
        "resource_name": SPEC["name"],
        "existing_id": spec.id,
    }
    assert error.existing_id == spec.id
    assert error.correlation_id


async def test_inline_series_are_capped_and_refer_by_id_instead(docs: Docs) -> None:
    within = pd.DataFrame({"Time [s]": range(1000)})
    above = pd.DataFrame({"Time [s]": range(1001)})
    assert validate_time_series_row_count(within) == []
    (issue,) = validate_time_series_row_count(above)
    assert str(issue.code) == "time_series_row_count_exceeded"
    assert "1001" in issue.message.replace(",", "")
    assert "1000" in issue.message.replace(",", "")


async def test_large_payloads_go_compressed(docs: Docs) -> None:
    notes = "x" * 600_000
    spec = await docs.call("cell_spec.create", {**SPEC, "notes": notes})
    assert (await docs.call("cell_spec.get", spec.id)).notes == notes
    assert len(gzip.compress(notes.encode())) < 10_000


def with_gap() -> pd.DataFrame:
    frame = charge_and_discharge().drop(
        columns=["Charge capacity [A.h]", "Discharge capacity [A.h]"]
    )
    frame.loc[50:, "Time [s]"] += 6.12 * 3600 - 10
    return frame


async def test_trouble_1_a_large_time_gap(docs: Docs) -> None:
    cell = await docs.cell()
    with pytest.raises(MeasurementValidationError) as caught:
        await docs.call(
            "cell_measurement.create", cell.id, measurement_data(with_gap()), validate_strict=True
        )
    text = str(caught.value)
    assert "6.12 h" in text
    assert "5.0 h" in text
    (issue,) = caught.value.errors
    assert str(issue.code) == "time_gap_too_large"
    assert {"49", "50"} <= set(text.replace(",", " ").replace(".", " ").split())


async def test_trouble_2_voltage_jumps_and_sorting_cures_it(docs: Docs) -> None:
    cell = await docs.cell()
    rows = 3600
    ordered = pl.DataFrame(
        {
            "Time [s]": np.arange(rows) * 1.0,
            "Voltage [V]": np.linspace(2.5, 4.2, rows),
            "Current [A]": np.full(rows, -0.002),
            "Step count": np.zeros(rows, dtype=np.int64),
        }
    )
    jumps = np.linspace(2.5, 2.6, rows)
    # 159 excursions of one row each: 318 of 3599 pairs jump.
    jumps[np.arange(159) * 20 + 5] = 4.2
    bad = ordered.with_columns(pl.Series("Voltage [V]", jumps))
    strict = {"validate_strict": True, "voltage_window": (2.5, 4.2)}
    with pytest.raises(MeasurementValidationError) as caught:
        await docs.call("cell_measurement.create", cell.id, measurement_data(bad), **strict)
    text = str(caught.value)
    for figure in ("318", "3599", "8.8", "80"):
        assert figure in text
    assert "voltage_continuity" in {str(error.code) for error in caught.value.errors}
    # Left out, the window is taken from the specification's ratings, which say the same.
    with pytest.raises(MeasurementValidationError):
        await docs.call(
            "cell_measurement.create", cell.id, measurement_data(bad), validate_strict=True
        )
    shuffled = ordered.sample(fraction=1.0, shuffle=True, seed=1)
    good = shuffled.sort("Time [s]")
    bundle = await docs.call("cell_measurement.create", cell.id, measurement_data(good), **strict)
    assert bundle.was_created


def summary(discharged: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Step count": range(len(discharged)),
            "Step type": ["Constant current discharge"] * len(discharged),
            "Discharge capacity [A.h]": discharged,
            "Charge capacity [A.h]": [0.0] * len(discharged),
        }
    )


async def test_trouble_3_two_full_steps_of_one_direction(docs: Docs) -> None:
    cell = await docs.cell()
    steps = summary([0.0] * 12 + [0.005, 0.0, 0.0, 0.005])
    data = measurement_data(charge_and_discharge(), steps=steps)
    with pytest.raises(MeasurementValidationError) as caught:
        await docs.call(
            "cell_measurement.create",
            cell.id,
            data,
            validate_strict=True,
            rated_capacity=0.002,
        )
    text = str(caught.value)
    for figure in ("12", "15", "200", "discharge"):
        assert figure in text
    assert "consecutive_same_direction_full_steps" in {
        str(error.code) for error in caught.value.errors
    }
    # Left out, the capacity is taken from the ratings: 0.002 A*h.
    with pytest.raises(MeasurementValidationError):
        await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)
    del data["steps"]
    bundle = await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)
    assert bundle.was_created


async def test_trouble_4_a_step_above_the_rating_warns_and_goes_on(docs: Docs) -> None:
    cell = await docs.cell()
    steps = summary([0.0] * 47 + [0.031])
    data = measurement_data(charge_and_discharge(), steps=steps)
    with pytest.warns(UserWarning, match="500") as caught:
        bundle = await docs.call(
            "cell_measurement.create",
            cell.id,
            data,
            validate_strict=True,
            rated_capacity=0.002,
        )
    text = str(caught[0].message)
    assert "47" in text
    assert "0.031" in text
    assert "Discharge capacity [A.h]" in text
    assert bundle.was_created


async def test_ratings_in_other_units_serve_the_checks_too(docs: Docs) -> None:
    ratings = {
        "capacity": {"value": 2.0, "unit": "mA.h"},
        "voltage_min": {"value": 2500, "unit": "mV"},
        "voltage_max": {"value": 4200, "unit": "mV"},
    }
    spec = await docs.call("cell_spec.create", {**SPEC, "ratings": ratings})
    cell = await docs.call("cell_instance.create", spec.id, {"name": "cell 1"})
    data = measurement_data(charge_and_discharge(), steps=summary([0.031]))
    with pytest.warns(UserWarning, match="500"):
        await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)


async def test_a_rating_in_an_unknown_unit_is_told_not_guessed(docs: Docs) -> None:
    ratings = {**SPEC["ratings"], "capacity": {"value": 2.0, "unit": "parsec"}}
    spec = await docs.call("cell_spec.create", {**SPEC, "ratings": ratings})
    cell = await docs.call("cell_instance.create", spec.id, {"name": "cell 1"})
    data = measurement_data(charge_and_discharge(), steps=summary([0.031]))
    with pytest.warns(UserWarning, match="parsec"):
        await docs.call("cell_measurement.create", cell.id, data, validate_strict=True)


async def test_steps_of_the_caller_are_stored(docs: Docs, start_studio: StartStudio) -> None:
    cell = await docs.cell()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bundle = await docs.call(
            "cell_measurement.create",
            cell.id,
            measurement_data(charge_and_discharge(), steps=summary([0.001, np.nan])),
        )
    assert await docs.names(cell) == [bundle.name]


def test_the_page_needs_one_changed_import() -> None:
    for name in ("Studio", "AsyncStudio"):
        assert inspect.isclass(getattr(bulkload, name))
