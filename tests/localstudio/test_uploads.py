"""Initiate, put, confirm, processing, extend, files, read-back."""

from __future__ import annotations

import asyncio
import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkload.core.steps import summarise_steps
from bulkload.localstudio import FaultKind, FaultRule
from bulkload.tables.frames import to_frame
from tests.localstudio.support import Answered, Api, OpenApi, made, series, table

pytestmark = pytest.mark.anyio


async def _follow(api: Api, path: str) -> Answered:
    redirect = await api.get(path)
    assert redirect.status == 307
    return await api.get(redirect.headers["Location"])


async def test_series_comes_back_byte_for_byte(api: Api) -> None:
    data = series()
    measurement = await api.upload(await api.cell(), data=data)
    found = await _follow(api, f"/cell_measurements/{measurement}/time_series/download")
    assert found.body == data
    record = await api.measurement(measurement)
    assert (record["processing_status"], record["processing_error"]) == ("ready", None)


async def test_nothing_exists_before_confirm(api: Api) -> None:
    cell = await api.cell()
    measurement = await api.begin(cell)
    assert (await api.get(f"/cell_measurements/{measurement}")).status == 404
    assert made(await api.get(f"/cell_instances/{cell}/cell_measurements"))["total"] == 0


async def test_confirm_answers_pending_with_no_steps_and_the_instance(api: Api) -> None:
    cell = await api.cell()
    measurement = await api.begin(cell)
    bundle = made(await api.confirm(measurement, cell, protocol={"name": "RPT"}, odd_key=1))
    assert bundle["id"] == measurement
    assert bundle["processing_status"] == "pending"
    assert bundle["steps_created"] == 0
    assert bundle["instance"]["id"] == cell
    assert (bundle["protocol"], bundle["odd_key"]) == ({"name": "RPT"}, 1)


async def test_both_targets_are_always_offered(api: Api) -> None:
    uploads = made(await api.initiate(await api.cell()))["uploads"]
    assert [entry["filename"] for entry in uploads] == ["time_series.parquet", "steps.parquet"]
    assert all(entry["token"] and entry["path"] and entry["signed_url"] for entry in uploads)
    assert all(entry["multipart"] is None for entry in uploads)


async def test_processing_takes_its_time_and_goes_through_running(open_api: OpenApi) -> None:
    api = await open_api(processing_s=0.3)
    cell = await api.cell()
    measurement = await api.begin(cell)
    loop = asyncio.get_running_loop()
    start = loop.time()
    made(await api.confirm(measurement, cell))
    assert (await api.measurement(measurement))["processing_status"] == "running"
    refused = await api.get(f"/cell_measurements/{measurement}/steps/download")
    assert refused.status == 409
    await api.studio.processed()
    assert loop.time() - start >= 0.3
    assert (await api.measurement(measurement))["processing_status"] == "ready"


async def test_processing_slots_keep_the_others_pending(open_api: OpenApi) -> None:
    api = await open_api(processing_slots=1)
    held = FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing", subject="a")
    api.studio.faults.add(held)
    cell = await api.cell()
    for name in ("a", "b"):
        made(await api.confirm(await api.begin(cell, name), cell, name=name))
    listed = made(await api.get(f"/cell_instances/{cell}/cell_measurements?order=asc"))["items"]
    assert [item["processing_status"] for item in listed] == ["running", "pending"]


def _without(column: str) -> bytes:
    return series(table().drop_columns([column]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not parquet at all", "not a readable Parquet file"),
        (b"", "not a readable Parquet file"),
        (series()[:-20], "not a readable Parquet file"),
        (_without("Step count"), "no 'Step count' column"),
        (series(table().set_column(3, "Step count", pa.array(["x"] * 40))), "not numbers"),
        (
            series(table().set_column(3, "Step count", pa.array([None] + [1] * 39))),
            "rows without a value",
        ),
    ],
)
async def test_what_cannot_be_processed_fails_with_the_reason(
    api: Api, data: bytes, reason: str
) -> None:
    record = await api.measurement(await api.upload(await api.cell(), data=data))
    assert record["processing_status"] == "failed"
    assert reason in record["processing_error"]
    assert (await api.get(f"/cell_measurements/{record['id']}/cycles")).status == 404


async def test_a_damaged_page_is_found(api: Api) -> None:
    sink = io.BytesIO()
    pq.write_table(table(20_000), sink, compression="zstd", write_page_checksum=True)
    data = bytearray(sink.getvalue())
    data[1000:1040] = bytes(40)
    record = await api.measurement(await api.upload(await api.cell(), data=bytes(data)))
    assert record["processing_status"] == "failed"


async def test_steps_and_cycles_are_derived(api: Api) -> None:
    measurement = await api.upload(await api.cell())
    expected = summarise_steps(to_frame(table()))
    found = await _follow(api, f"/cell_measurements/{measurement}/steps/download")
    steps = pq.read_table(io.BytesIO(found.body))
    assert steps.num_rows == 4
    assert tuple(steps.column_names) == expected.names
    np.testing.assert_array_equal(
        steps["Mean current [A]"].to_numpy(), expected.numbers("Mean current [A]")
    )
    both = made(await api.get(f"/cell_measurements/{measurement}/steps_and_cycles"))
    assert len(both["steps"]["Step count"]) == 4
    cycles = made(await api.get(f"/cell_measurements/{measurement}/cycles"))["cycles"]
    assert both["cycles"] == cycles
    assert cycles["Cycle count"] == [0]


async def test_steps_that_a_client_sent_are_kept(api: Api) -> None:
    cell = await api.cell()
    begun = made(await api.initiate(cell))
    own = series(pa.table({"Step count": [0], "Step type": ["Rest"]}))
    for entry, data in zip(begun["uploads"], (series(), own), strict=True):
        assert (await api.put(entry["signed_url"], data)).status == 200
    made(await api.confirm(begun["measurement_id"], cell))
    await api.studio.processed()
    found = await _follow(api, f"/cell_measurements/{begun['measurement_id']}/steps/download")
    assert found.body == own


async def test_file_measurement_with_hostile_names(api: Api) -> None:
    cell = await api.cell()
    names = ["a.png", "b #1?.pdf", "../../etc/passwd", "ü" * 120 + ".bin", 'q"uote\n.txt']
    begun = made(await api.initiate(cell, measurement_type="file", filenames=names))
    assert [entry["filename"] for entry in begun["uploads"]] == names
    for number, entry in enumerate(begun["uploads"]):
        assert (await api.put(entry["signed_url"], bytes([number]))).status == 200
    body = {
        "cell_instance_id": cell,
        "measurement": {"name": "SEM"},
        "measurement_type": "file",
        "filenames": names,
    }
    confirm = f"/cell_measurements/{begun['measurement_id']}/confirm-upload"
    record = made(await api.post(confirm, body))
    assert record["processing_status"] == "ready"
    assert record["file_metadata"]["filenames"] == names
    files = f"/cell_measurements/{record['id']}/files"
    assert made(await api.get(files))["filenames"] == names
    assert (await _follow(api, f"{files}/a.png")).body == b"\0"
    assert (await _follow(api, f"{files}/b%20%231%3F.pdf")).body == b"\1"
    assert (await api.get(f"{files}/absent.png")).status == 404


async def test_properties_measurement(api: Api) -> None:
    path = f"/cell_instances/{await api.cell()}/cell_measurements/create"
    body = {"name": "mass", "properties": {"mass": {"value": 1, "unit": "g"}}}
    answer = await api.post(path, {**body, "measurement_type": "properties"})
    assert answer.status == 201
    assert answer.json["properties"] == body["properties"]
    assert answer.json["processing_status"] == "ready"
    assert (await api.post(path, {**body, "measurement_type": "file"})).status == 422
    assert (await api.post(path, {"name": "x", "measurement_type": "properties"})).status == 422
    series_path = f"/cell_measurements/{answer.json['id']}/time_series/download"
    assert (await api.get(series_path)).status == 400


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_measurement_names_have_1_to_255_characters(api: Api, name: str) -> None:
    assert (await api.initiate(await api.cell(), name)).status == 422


async def test_confirm_for_another_cell_is_404(api: Api) -> None:
    spec = await api.spec()
    one, two = await api.cell("one", spec), await api.cell("two", spec)
    measurement = await api.begin(one)
    assert (await api.confirm(measurement, two)).status == 404
    made(await api.confirm(measurement, one))


async def test_patch_changes_metadata_and_not_the_data(api: Api) -> None:
    cell = await api.cell()
    measurement = await api.upload(cell, start_time="2026-01-01T00:00:00Z", tags=["b", "A", "B "])
    path = f"/cell_measurements/{measurement}"
    assert (await api.measurement(measurement))["tags"] == ["A", "b"]
    changed = made(await api.patch(path, {"notes": "n", "processing_status": "failed", "tags": []}))
    assert (changed["notes"], changed["tags"]) == ("n", [])
    assert changed["processing_status"] == "ready"
    early = await api.patch(path, {"end_time": "2025-12-31T00:00:00Z"})
    assert early.status == 400


async def _extend(api: Api, measurement: str, rows: pa.Table) -> Answered:
    begun = await api.post(f"/cell_measurements/{measurement}/initiate-extend", {})
    if begun.status >= 400:
        return begun
    (target,) = begun.json["uploads"]
    assert target["filename"] == "time_series_extend.parquet"
    assert (await api.put(target["signed_url"], series(rows))).status == 200
    return await api.post(f"/cell_measurements/{measurement}/confirm-extend", {})


async def test_extend_appends_and_steps_are_made_anew(api: Api) -> None:
    measurement = await api.upload(await api.cell())
    path = f"/cell_measurements/{measurement}"
    await _follow(api, f"{path}/steps/download")
    bundle = made(await _extend(api, measurement, table(start=40.0, first_step=4)))
    assert bundle["steps_created"] == 0
    await api.studio.processed()
    stored = pq.read_table(io.BytesIO((await _follow(api, f"{path}/time_series/download")).body))
    assert stored["Time [s]"].to_pylist() == list(range(80))
    steps = pq.read_table(io.BytesIO((await _follow(api, f"{path}/steps/download")).body))
    assert steps.num_rows == 8


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (table(start=39.0), "starts at 39.0 s"),
        (table(start=40.0).drop_columns(["Voltage [V]"]), "columns of the extend differ"),
        (table(start=40.0).append_column("more", pa.array([1] * 40)), "columns of the extend"),
    ],
)
async def test_failed_extend_leaves_the_measurement_ready_with_an_error(
    api: Api, rows: pa.Table, reason: str
) -> None:
    measurement = await api.upload(await api.cell())
    made(await _extend(api, measurement, rows))
    await api.studio.processed()
    record = await api.measurement(measurement)
    assert record["processing_status"] == "ready"
    assert reason in record["processing_error"]
    made(await _extend(api, measurement, table(start=40.0, first_step=4)))
    await api.studio.processed()
    assert (await api.measurement(measurement))["processing_error"] is None


async def test_extend_is_refused_while_another_is_open_or_processing_runs(api: Api) -> None:
    cell = await api.cell()
    measurement = await api.upload(cell)
    made(await api.post(f"/cell_measurements/{measurement}/initiate-extend", {}))
    again = await api.post(f"/cell_measurements/{measurement}/initiate-extend", {})
    assert again.status == 409
    assert "existing_id" not in (again.json["detail"] or {})
    stuck = FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing")
    api.studio.faults.add(stuck)
    running = await api.begin(cell, "running")
    made(await api.confirm(running, cell, name="running"))
    assert (await _extend(api, running, table(start=40.0))).status == 409


async def test_finished_measurement_cannot_be_extended(api: Api) -> None:
    measurement = await api.upload(
        await api.cell(), start_time="2026-01-01T00:00:00Z", end_time="2026-01-02T00:00:00Z"
    )
    assert (await _extend(api, measurement, table(start=40.0))).status == 400


async def _channel(api: Api) -> str:
    site = made(await api.post("/sites", {"name": "lab"}))["id"]
    body = {"name": "Maccor", "project_id": api.studio.project_id}
    cycler = made(await api.post(f"/sites/{site}/cyclers", body))["id"]
    channel = made(await api.post(f"/cyclers/{cycler}/channels", {"name": "CH1", "max_amps": 5}))
    assert (channel["cycler_id"], channel["out_of_commission"]) == (cycler, False)
    assert made(await api.get(f"/channels?cycler_id={cycler}"))["total"] == 1
    return str(channel["id"])


_numbers = itertools.count()


async def _on_channel(api: Api, cell: str, channel: str, start: str, end: str | None) -> Answered:
    name = f"run {next(_numbers)}"
    measurement = await api.begin(cell, name)
    return await api.confirm(
        measurement, cell, name=name, channel_id=channel, start_time=start, end_time=end
    )


async def test_overlap_on_a_channel_is_a_conflict_that_is_no_duplicate(api: Api) -> None:
    channel, cell = await _channel(api), await api.cell()
    made(await _on_channel(api, cell, channel, "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"))
    clash = await _on_channel(api, cell, channel, "2026-01-02T12:00:00Z", None)
    assert clash.status == 409
    assert clash.json["error_code"] == "CONFLICT"
    assert clash.json["detail"] is None
    made(await _on_channel(api, cell, channel, "2026-01-03T00:00:00Z", None))
    busy = await api.patch(f"/channels/{channel}", {"out_of_commission": True})
    assert busy.status == 409


async def test_channel_out_of_commission_is_a_conflict(api: Api) -> None:
    channel, cell = await _channel(api), await api.cell()
    planned = {"out_of_commission": True, "incident_category": "maintenance"}
    assert (await api.patch(f"/channels/{channel}", planned)).status == 400
    made(await api.patch(f"/channels/{channel}", {"out_of_commission": True}))
    refused = await _on_channel(api, cell, channel, "2026-01-02T00:00:00Z", None)
    assert refused.status == 409
    made(await api.patch(f"/channels/{channel}", {"out_of_commission": False}))
    made(await _on_channel(api, cell, channel, "2026-01-02T00:00:00Z", None))


async def test_channel_rules_that_are_400(api: Api) -> None:
    channel, cell = await _channel(api), await api.cell()
    pending = await api.begin(cell, "r")
    assert (await api.confirm(pending, cell, name="r", channel_id=channel)).status == 400
    assert (await api.confirm(pending, cell, name="r", channel_id="none")).status == 400
    body = {"name": "p", "properties": {}, "measurement_type": "properties", "channel_id": channel}
    assert (await api.post(f"/cell_instances/{cell}/cell_measurements/create", body)).status == 400
