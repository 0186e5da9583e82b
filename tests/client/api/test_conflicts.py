"""409 in all its meanings: a taken name in every form of body, and what is none."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from bulkload.client.api.records import CellInstance, Record
from bulkload.client.studio import AsyncStudio
from bulkload.errors import ConflictError, MeasurementProcessingError
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.client.api.conftest import StartStudio, connect
from tests.client.api.samples import SPEC, detail

pytestmark = pytest.mark.anyio

FORMS = ["standard", "without_existing_id", "legacy_keys", "nested", "plain"]

Act = Callable[[], Awaitable[Record]]


async def a_cell(client: AsyncStudio) -> CellInstance:
    spec = await client.cell_spec.create_or_get(SPEC)
    return await client.cell_instance.create_or_get(spec.id, {"name": "cell 1"})


async def at_once(*acts: Act) -> list[Record]:
    """Run acts side by side: both look, both find nothing, and one of them meets a 409."""
    results: list[Record] = []

    async def run(act: Act) -> None:
        results.append(await act())

    async with anyio.create_task_group() as tasks:
        for act in acts:
            tasks.start_soon(run, act)
    return results


@pytest.mark.parametrize("form", FORMS)
async def test_two_who_create_the_same_at_once_get_one_record(
    start_studio: StartStudio, form: str
) -> None:
    studio = start_studio(conflict_form=form, latency_s=0.02)
    async with connect(studio) as client:
        specs = await at_once(*[lambda: client.cell_spec.create_or_get(SPEC)] * 2)
        spec_id = specs[0].id
        lots = await at_once(
            lambda: client.cell_batch.create_or_get(spec_id, {"name": "Lot"}),
            lambda: client.cell_batch.create_or_get(spec_id, {"name": "LOT"}),
        )
        cell = {"name": "cell 1"}
        cells = await at_once(*[lambda: client.cell_instance.create_or_get(spec_id, cell)] * 2)
        values = {"mass": {"value": 1.0, "unit": "g"}}
        create = client.cell_measurement.create_or_get_properties
        measured = await at_once(*[lambda: create(cells[0].id, "mass", values)] * 2)
    for one, other in (specs, lots, cells, measured):
        assert one.id == other.id
        assert sorted([one.was_created, other.was_created]) == [False, True]
    assert studio.requests.by_status[409] >= 4


@pytest.mark.parametrize("found_at", ["initiate", "confirm"])
@pytest.mark.parametrize("form", FORMS)
async def test_a_time_series_that_appears_meanwhile_is_got(
    start_studio: StartStudio, form: str, found_at: str
) -> None:
    studio = start_studio(conflict_form=form, duplicate_at=found_at, latency_s=0.02)
    async with connect(studio) as client:
        cell = await a_cell(client)
        create = client.cell_measurement.create_or_get
        one, other = await at_once(*[lambda: create(cell.id, detail("RPT 0"))] * 2)
    assert one.id == other.id
    assert sorted([one.was_created, other.was_created]) == [False, True]


@pytest.mark.parametrize("form", FORMS)
async def test_create_tells_of_a_taken_name(start_studio: StartStudio, form: str) -> None:
    async with connect(start_studio(conflict_form=form)) as client:
        spec = await client.cell_spec.create(SPEC)
        assert spec.was_created
        with pytest.raises(ConflictError) as caught:
            await client.cell_spec.create(SPEC)
    assert caught.value.status_code == 409
    names_it = form not in ("without_existing_id", "plain")
    assert caught.value.existing_id == (spec.id if names_it else None)


async def a_channel(client: AsyncStudio) -> str:
    call = client._caller.call
    site = await call("POST", "/sites", json={"name": "Lab"})
    cycler = {"name": "Arbin 1", "project_id": client.project_id}
    cycler = await call("POST", f"/sites/{site['id']}/cyclers", json=cycler)
    channel = await call("POST", f"/cyclers/{cycler['id']}/channels", json={"name": "CH1"})
    return str(channel["id"])


@pytest.mark.parametrize("form", ["standard", "plain"])
async def test_a_busy_channel_is_no_duplicate(start_studio: StartStudio, form: str) -> None:
    times = {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-02T00:00:00Z"}
    async with connect(start_studio(error_form=form)) as client:
        channel_id = await a_channel(client)
        cell = await a_cell(client)
        await client.cell_measurement.confirm(
            *await stored(client, cell.id, "first"),
            {"name": "first", "channel_id": channel_id, **times},
        )
        with pytest.warns(UserWarning, match="start_time"), pytest.raises(ConflictError) as caught:
            await client.cell_measurement.create_or_get(
                cell.id, detail("second", channel_id=channel_id, **times)
            )
        assert "duplicate" not in str(caught.value)
        assert await client.cell_measurement.find(cell.id, "second") is None


async def stored(client: AsyncStudio, instance_id: str, name: str) -> tuple[str, str]:
    """Upload a time series up to the point where only confirm is missing."""
    made = await client.cell_measurement.create(instance_id, detail(f"{name} source"))
    answer = await client.cell_measurement.initiate(instance_id, name)
    target = answer.target("time_series.parquet")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "time_series.parquet")
        await client.cell_measurement.download_time_series(made.id, path)
        await client.cell_measurement.put(target, path)
    return answer.measurement_id, instance_id


async def test_a_found_measurement_that_failed_is_a_failure(
    client: AsyncStudio, studio: LocalStudio
) -> None:
    cell = await a_cell(client)
    studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_FAILED, endpoint="processing"))
    with pytest.raises(MeasurementProcessingError) as first:
        await client.cell_measurement.create(cell.id, detail("RPT 0"))
    studio.faults.clear()
    with pytest.raises(MeasurementProcessingError) as again:
        await client.cell_measurement.create_or_get(cell.id, detail("RPT 0"))
    assert list(again.value.failures) == list(first.value.failures)


async def test_a_found_measurement_is_waited_for(
    start_studio: StartStudio,
) -> None:
    async with connect(start_studio(processing_s=0.3)) as client:
        cell = await a_cell(client)
        made = await client.cell_measurement.create(
            cell.id, detail("RPT 0"), wait_for_processing=False
        )
        assert made.is_processing
        found = await client.cell_measurement.create_or_get(cell.id, detail("RPT 0"))
    assert (found.id, found.processing_status, found.was_created) == (made.id, "ready", False)


async def test_an_existing_measurement_costs_one_request_and_no_upload(
    client: AsyncStudio, studio: LocalStudio
) -> None:
    cell = await a_cell(client)
    await client.cell_measurement.create(cell.id, detail("RPT 0"))
    before = studio.requests.total
    await client.cell_measurement.create_or_get(cell.id, detail("RPT 0"))
    assert studio.requests.total == before + 1


async def test_an_existing_cell_makes_no_lot(client: AsyncStudio) -> None:
    spec = await client.cell_spec.create(SPEC)
    cell = await client.cell_instance.create(spec.id, {"name": "cell 1", "batch": "Lot A"})
    assert cell.batch == "Lot A"
    again = await client.cell_instance.create_or_get(spec.id, {"name": "cell 1", "batch": "Lot B"})
    assert (again.id, again.batch) == (cell.id, "Lot A")
    assert [lot.name async for lot in client.cell_batch.list(spec.id)] == ["Lot A"]
    moved = await client.cell_instance.update(cell.id, {"batch": "Lot B"})
    assert moved.batch == "Lot B"
    assert (await client.cell_instance.update(cell.id, {"batch": None})).batch is None
    with pytest.raises(ValueError, match="not both"):
        await client.cell_instance.create(
            spec.id, {"name": "x", "batch": "Lot A", "batch_id": cell.id}
        )


async def test_a_name_of_another_case_is_another_name_unless_the_server_says_so(
    start_studio: StartStudio,
) -> None:
    async with connect(start_studio(names_case_sensitive=False)) as client:
        spec = await client.cell_spec.create(SPEC)
        upper = {**SPEC, "name": SPEC["name"].upper()}
        assert (await client.cell_spec.create_or_get(upper)).id == spec.id


async def test_a_measurement_of_another_type_is_not_what_was_meant(
    client: AsyncStudio, tmp_path: Path
) -> None:
    cell = await a_cell(client)
    series = await client.cell_measurement.create(cell.id, detail("A"))
    values = await client.cell_measurement.create_properties(cell.id, "B", {"a": "b"})
    path = tmp_path / "x.txt"
    path.write_text("x")
    for act, existing_id in (
        (client.cell_measurement.create_or_get_properties(cell.id, "A", {"a": "b"}), series.id),
        (client.cell_measurement.create_or_get_file(cell.id, "A", [path]), series.id),
        (client.cell_measurement.create_or_get(cell.id, detail("B")), values.id),
    ):
        with pytest.raises(ConflictError, match="holds") as caught:
            await act
        assert caught.value.existing_id == existing_id
