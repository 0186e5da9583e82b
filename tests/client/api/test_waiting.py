"""Waiting for the server: one loop for many, failures together, extensions in turn."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bulkload.client.api.limits import MAX_INITIATES
from bulkload.client.delivery import Delivery
from bulkload.client.studio import AsyncStudio
from bulkload.errors import (
    ClientError,
    ConflictError,
    ExpiredUrlError,
    MeasurementProcessingError,
    MeasurementValidationError,
)
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings
from tests.client.api.samples import charge_and_discharge, detail
from tests.client.api.test_conflicts import a_cell
from tests.simulation.virtual_clock import VirtualClock, virtual_run

Story = Callable[[AsyncStudio, LocalStudio], Coroutine[Any, Any, None]]


def play(story: Story, folder: Path, **settings: Any) -> None:
    """Run a story in virtual time, against a Studio in the same loop."""

    async def main() -> None:
        async with (
            LocalStudio(StudioSettings(data_dir=folder, **settings)) as studio,
            AsyncStudio(
                studio.api_key,
                studio.url,
                studio.project_id,
                delivery=Delivery(clock=VirtualClock()),
            ) as client,
        ):
            await story(client, studio)

    virtual_run(main)


def later(frame: pd.DataFrame, seconds: float = 1000.0) -> pd.DataFrame:
    """Give rows that follow those of ``frame``."""
    more = frame.copy()
    more["Time [s]"] += seconds
    more["Step count"] += 2
    return more


def test_many_of_one_cell_are_read_from_its_list(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        ids = [
            (
                await client.cell_measurement.create(
                    cell.id, detail(f"RPT {number}"), wait_for_processing=False
                )
            ).id
            for number in range(20)
        ]
        before = studio.requests.by_endpoint.copy()
        states = await client.cell_measurement.wait_for_processing(ids)
        assert {state["processing_status"] for state in states.values()} == {"ready"}
        asked = studio.requests.by_endpoint - before
        # The first look is by id, because only the answers tell whose cell they are.
        assert asked["measurement.get"] == 20
        assert 1 <= asked["measurement.list"] <= 15

    play(story, tmp_path, processing_s=20.0)


def test_failures_are_reported_together_and_at_the_end(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        studio.faults.add(
            FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing", subject="bad*")
        )
        names = ["bad 1", "good", "bad 2"]
        ids = {
            name: (
                await client.cell_measurement.create(
                    cell.id, detail(name), wait_for_processing=False
                )
            ).id
            for name in names
        }
        with pytest.raises(MeasurementProcessingError) as caught:
            await client.cell_measurement.wait_for_processing(ids.values())
        assert set(caught.value.failures) == {ids["bad 1"], ids["bad 2"]}
        assert "2 of 3" in str(caught.value)
        assert (await client.cell_measurement.get(ids["good"])).processing_status == "ready"

    play(story, tmp_path)


def test_a_wait_ends_and_says_that_the_work_goes_on(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing"))
        made = await client.cell_measurement.create(
            cell.id, detail("RPT 0"), wait_for_processing=False
        )
        with pytest.raises(MeasurementProcessingError, match="still processing after 5 s"):
            await client.cell_measurement.wait_for_processing(made.id, timeout=5)

    play(story, tmp_path)


def test_an_extension_waits_for_the_processing_before_it(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        frame = charge_and_discharge()
        made = await client.cell_measurement.create(
            cell.id, detail("RPT 0", frame), wait_for_processing=False
        )
        bundle = await client.cell_measurement.extend(made.id, later(frame))
        assert (bundle.processing_status, bundle.was_created) == ("ready", False)
        assert len(await client.cell_measurement.time_series(made.id)) == 200

    play(story, tmp_path, processing_s=30.0)


def test_an_ended_test_is_not_extended(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        frame = charge_and_discharge()
        made = await client.cell_measurement.create(cell.id, detail("RPT 0", frame))
        await client.cell_measurement.update(made.id, {"end_time": "2025-01-01T00:00:00Z"})
        before = studio.requests.by_endpoint["extend.initiate"]
        with pytest.raises(ClientError):
            await client.cell_measurement.extend(made.id, later(frame))
        assert studio.requests.by_endpoint["extend.initiate"] == before + 1

    play(story, tmp_path)


@pytest.mark.parametrize("open_extend", ["replace", "conflict"])
def test_a_lost_beginning_of_an_extension_is_begun_again(tmp_path: Path, open_extend: str) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        frame = charge_and_discharge()
        made = await client.cell_measurement.create(cell.id, detail("RPT 0", frame))
        lost = FaultRule(kind=FaultKind.RESET_AFTER, endpoint="extend.initiate", times=1)
        studio.faults.add(lost)
        if open_extend == "replace":
            await client.cell_measurement.extend(made.id, later(frame))
        else:
            # Nobody but the server can end what it holds to be under way: say so, in its words.
            with pytest.raises(ConflictError, match="in flight"):
                await client.cell_measurement.extend(made.id, later(frame))
        rows = len(await client.cell_measurement.time_series(made.id))
        assert rows == (200 if open_extend == "replace" else 100)

    play(story, tmp_path, open_extend=open_extend)


def test_rows_that_the_server_cannot_append_are_a_failure(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, _studio: LocalStudio) -> None:
        cell = await a_cell(client)
        frame = charge_and_discharge()
        made = await client.cell_measurement.create(cell.id, detail("RPT 0", frame))
        with pytest.raises(MeasurementProcessingError) as caught:
            await client.cell_measurement.extend(made.id, frame)
        assert list(caught.value.failures) == [made.id]
        assert len(await client.cell_measurement.time_series(made.id)) == 100

    play(story, tmp_path)


def test_rows_that_lack_what_they_need_are_told_at_once(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        extend = client.cell_measurement.extend
        frame = charge_and_discharge()
        with pytest.raises(MeasurementValidationError, match="no rows"):
            await extend("m", frame.iloc[:0])
        with pytest.raises(MeasurementValidationError, match="Step count"):
            await extend("m", frame.drop(columns="Step count"))
        with pytest.raises(MeasurementValidationError):
            await extend("m", frame.iloc[::-1])
        assert studio.requests.total == 0

    play(story, tmp_path)


def test_an_expired_url_is_asked_for_anew_a_few_times(tmp_path: Path) -> None:
    async def story(client: AsyncStudio, studio: LocalStudio) -> None:
        cell = await a_cell(client)
        rule = FaultRule(kind=FaultKind.EXPIRED_URL, endpoint="storage.put", times=1)
        studio.faults.add(rule)
        made = await client.cell_measurement.create(cell.id, detail("RPT 0"))
        raw_fault = studio.faults.add(rule)
        raw = await client.raw_data.upload(None, _file(tmp_path))
        assert raw_fault.struck == 1
        assert made.was_created
        assert raw.was_created
        studio.faults.add(FaultRule(kind=FaultKind.EXPIRED_URL, endpoint="storage.put"))
        before = studio.requests.by_endpoint["measurement.initiate"]
        with pytest.raises(ExpiredUrlError):
            await client.cell_measurement.create(cell.id, detail("RPT 1"))
        assert studio.requests.by_endpoint["measurement.initiate"] == before + MAX_INITIATES
        assert await client.cell_measurement.find(cell.id, "RPT 1") is None
        assert studio.requests.leaked_headers == 0

    play(story, tmp_path)


def _file(folder: Path) -> Path:
    path = folder / "run.csv"
    path.write_bytes(b"1,2\n")
    return path
