"""An answer is lost after the work was done: the record is found again, once, and is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.client.studio import AsyncStudio
from bulkload.errors import ConflictError
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.client.api.samples import SPEC, charge_and_discharge, detail
from tests.client.api.test_conflicts import a_cell

pytestmark = pytest.mark.anyio

#: Ways to lose an answer.
LOSSES = [
    FaultRule(kind=FaultKind.RESET_AFTER),
    FaultRule(kind=FaultKind.HTML, work_done=True),
    FaultRule(kind=FaultKind.STATUS, status=502, work_done=True),
    FaultRule(kind=FaultKind.TRUNCATED),
]


@pytest.fixture(params=LOSSES, ids=lambda rule: rule.kind)
def lose(request: pytest.FixtureRequest, studio: LocalStudio) -> None:
    """Lose the first answer of each endpoint that creates something."""
    from dataclasses import replace

    for endpoint in (
        "project.create",
        "spec.create",
        "batch.create",
        "instance.create",
        "measurement.initiate",
        "measurement.create",
        "measurement.confirm",
        "extend.confirm",
        "raw.initiate",
        "raw.confirm",
        "raw.link",
        "tag.bulk",
        "measurement.update",
    ):
        studio.faults.add(replace(request.param, endpoint=endpoint, times=1))


async def test_parents_are_made_once_and_count_as_created(client: AsyncStudio, lose: None) -> None:
    project = await client.project.create_or_get({"name": "Backfill"})
    spec = await client.cell_spec.create_or_get(SPEC)
    lot = await client.cell_batch.create_or_get(spec.id, {"name": "Lot A"})
    cell = await client.cell_instance.create_or_get(spec.id, {"name": "cell 1"})
    assert [each.was_created for each in (project, spec, lot, cell)] == [True] * 4
    assert len(await client.cell_spec.list()) == 1
    assert len(await client.cell_instance.list(spec.id)) == 1


async def test_plain_create_takes_what_its_lost_request_made(
    client: AsyncStudio, lose: None
) -> None:
    spec = await client.cell_spec.create(SPEC)
    cell = await client.cell_instance.create(
        spec.id, {"name": "cell 1", "batch": "Lot A", "date_manufactured": "2024-01-20"}
    )
    assert spec.was_created
    assert cell.was_created
    assert cell.batch == "Lot A"


async def test_plain_create_does_not_take_another_ones_record(
    client: AsyncStudio, studio: LocalStudio
) -> None:
    spec = await client.cell_spec.create({**SPEC, "manufacturer": "Somebody else"})
    studio.faults.add(FaultRule(kind=FaultKind.RESET_AFTER, endpoint="spec.create", times=1))
    with pytest.raises(ConflictError) as caught:
        await client.cell_spec.create(SPEC)
    assert caught.value.existing_id == spec.id


async def test_measurements_of_each_type_are_made_once(
    client: AsyncStudio, lose: None, tmp_path: Path
) -> None:
    cell = await a_cell(client)
    series = await client.cell_measurement.create(cell.id, detail("RPT 0"))
    values = await client.cell_measurement.create_properties(
        cell.id, "mass", {"mass": {"value": 1.0, "unit": "g"}}
    )
    picture = tmp_path / "a.txt"
    picture.write_text("x")
    files = await client.cell_measurement.create_file(cell.id, "SEM", [picture])
    made = [series, values, files]
    assert all(each.was_created for each in made)
    listed = await client.cell_measurement.list(cell.id)
    assert {each.id for each in listed} == {each.id for each in made}


async def test_rows_are_appended_once(client: AsyncStudio, lose: None) -> None:
    cell = await a_cell(client)
    first = charge_and_discharge()
    made = await client.cell_measurement.create(cell.id, detail("RPT 0", first))
    more = first.copy()
    more["Time [s]"] += 1000.0
    more["Step count"] += 2
    await client.cell_measurement.extend(made.id, more)
    assert len(await client.cell_measurement.time_series(made.id)) == 200


async def test_raw_data_tags_and_changes_are_done_once(
    client: AsyncStudio, lose: None, tmp_path: Path
) -> None:
    source = tmp_path / "run.csv"
    source.write_bytes(b"1,2\n")
    raw = await client.raw_data.upload(None, source)
    cell = await a_cell(client)
    made = await client.cell_measurement.create_properties(cell.id, "mass", {"a": "b"})
    await client.cell_measurement.attach_raw_data(made.id, [raw.id])
    await client.cell_measurement.add_tags(made.id, ["rpt"])
    changed = await client.cell_measurement.update(made.id, {"notes": "n"})
    assert len(await client.raw_data.list()) == 1
    assert len(await client.cell_measurement.list_raw_data(made.id)) == 1
    assert changed.tags == ["rpt"]


async def test_a_record_that_cannot_be_read_yet_is_waited_for(
    client: AsyncStudio, studio: LocalStudio
) -> None:
    cell = await a_cell(client)
    for kind in (FaultKind.CONSISTENCY_GAP, FaultKind.RESET_AFTER):
        studio.faults.add(
            FaultRule(kind=kind, endpoint="measurement.confirm", times=1, seconds=0.25)
        )
    made = await client.cell_measurement.create(cell.id, detail("RPT 0"))
    assert made.was_created
    assert [each.id async for each in client.cell_measurement.list(cell.id)] == [made.id]
