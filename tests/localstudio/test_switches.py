"""Each switch for what the contract leaves open, shown to do what it says."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from bulkload.errors import SettingsError
from bulkload.localstudio import FaultKind, FaultRule, StudioSettings
from tests.localstudio.support import Api, OpenApi, made, series, table

pytestmark = pytest.mark.anyio

CREATE = "/cell_specifications"


@pytest.mark.parametrize("where", ["initiate", "confirm"])
async def test_where_a_duplicate_is_found(open_api: OpenApi, where: str) -> None:
    api = await open_api(duplicate_at=where)
    cell = await api.cell()
    existing = await api.upload(cell)
    initiated = await api.initiate(cell)
    if where == "initiate":
        refused = initiated
    else:
        begun = made(initiated)
        assert (await api.put(begun["uploads"][0]["signed_url"], series())).status == 200
        refused = await api.confirm(begun["measurement_id"], cell)
    assert refused.status == 409
    assert refused.json["detail"]["existing_id"] == existing


async def test_two_open_uploads_of_one_name_confirm_only_once(api: Api) -> None:
    cell = await api.cell()
    first, second = await api.begin(cell), await api.begin(cell)
    made(await api.confirm(second, cell))
    refused = await api.confirm(first, cell)
    assert refused.json["detail"]["existing_id"] == second


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        ("standard", {"error_code", "message", "detail"}),
        ("without_existing_id", {"error_code", "message", "detail"}),
        ("legacy_keys", {"error_code", "message", "existing_cell_specification_id"}),
        ("nested", {"detail"}),
        ("plain", {"detail"}),
    ],
)
async def test_conflict_form(open_api: OpenApi, form: str, keys: set[str]) -> None:
    api = await open_api(conflict_form=form)
    spec = await api.spec("s")
    answer = await api.post(CREATE, {"name": "s", "project_id": api.studio.project_id})
    assert answer.status == 409
    assert set(answer.json) == keys
    text = answer.body.decode()
    assert (spec in text) == (form not in {"without_existing_id", "plain"})
    if form == "nested":
        assert answer.json["detail"]["detail"]["existing_id"] == spec
    if form == "plain":
        assert isinstance(answer.json["detail"], str)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("standard", "error_code"),
        ("nested", "detail"),
        ("plain", "detail"),
    ],
)
async def test_error_form(open_api: OpenApi, form: str, expected: str) -> None:
    api = await open_api(error_form=form)
    body = (await api.get("/cell_instances/none")).json
    assert expected in body
    kinds: dict[str, type] = {"standard": type(None), "nested": dict, "plain": str}
    assert isinstance(body["detail"], kinds[form])


async def test_created_status(open_api: OpenApi) -> None:
    api = await open_api(created_status=200)
    body = {"name": "s", "project_id": api.studio.project_id}
    assert (await api.post(CREATE, body)).status == 200


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirect_status(open_api: OpenApi, code: int) -> None:
    api = await open_api(redirect_status=code)
    measurement = await api.upload(await api.cell())
    path = f"/cell_measurements/{measurement}/time_series/download"
    assert (await api.get(path)).status == code


async def test_url_lifetime(open_api: OpenApi) -> None:
    api = await open_api(url_lifetime_s=120.0)
    url = made(await api.initiate(await api.cell()))["uploads"][0]["signed_url"]
    expires = int(url.partition("expires=")[2].partition("&")[0])
    assert 115 <= expires - time.time() <= 120


async def test_upload_lifetime(open_api: OpenApi) -> None:
    api = await open_api(upload_lifetime_s=0.0)
    cell = await api.cell()
    assert (await api.confirm(await api.begin(cell), cell)).status == 404


@pytest.mark.parametrize("switch", ["refuse", "fail_processing"])
async def test_missing_object(open_api: OpenApi, switch: str) -> None:
    api = await open_api(missing_object=switch)
    cell = await api.cell()
    measurement = made(await api.initiate(cell))["measurement_id"]
    answer = await api.confirm(measurement, cell)
    if switch == "refuse":
        assert answer.status == 400
        assert (await api.get(f"/cell_measurements/{measurement}")).status == 404
        return
    made(answer)
    await api.studio.processed()
    assert "never uploaded" in (await api.measurement(measurement))["processing_error"]


@pytest.mark.parametrize("switch", ["conflict", "same_record"])
async def test_second_confirm(open_api: OpenApi, switch: str) -> None:
    api = await open_api(second_confirm=switch)
    cell = await api.cell()
    measurement = await api.upload(cell)
    again = await api.confirm(measurement, cell)
    if switch == "conflict":
        assert again.status == 409
        assert again.json["detail"]["existing_id"] == measurement
    else:
        assert (again.status, again.json["id"]) == (200, measurement)


@pytest.mark.parametrize(("switch", "status"), [("accept", 201), ("refuse", 400)])
async def test_changed_name_at_confirm(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(changed_name_at_confirm=switch)
    cell = await api.cell()
    measurement = await api.begin(cell, "one")
    assert (await api.confirm(measurement, cell, name="two")).status == status


@pytest.mark.parametrize(("switch", "status"), [("refuse", 422), ("drop", 201)])
async def test_legacy_batch(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(legacy_batch=switch)
    path = f"/cell_specifications/{await api.spec()}/cell_instances"
    answer = await api.post(path, {"name": "c", "batch": "B-1"})
    assert answer.status == status
    assert status == 422 or "batch" not in answer.json


@pytest.mark.parametrize(("required", "status"), [(True, 422), (False, 201)])
async def test_ratings_required(open_api: OpenApi, required: object, status: int) -> None:
    api = await open_api(ratings_required=required)
    body = {"name": "s", "project_id": api.studio.project_id}
    assert (await api.post(CREATE, body)).status == status


@pytest.mark.parametrize("status", [422, 400, 500])
async def test_no_project_status(open_api: OpenApi, status: int) -> None:
    api = await open_api(no_project_status=status)
    assert (await api.post(CREATE, {"name": "s"})).status == status


@pytest.mark.parametrize(("sensitive", "status"), [(True, 201), (False, 409)])
async def test_names_case_sensitive(open_api: OpenApi, sensitive: object, status: int) -> None:
    api = await open_api(names_case_sensitive=sensitive)
    await api.spec("Cell")
    body = {"name": "cELL", "project_id": api.studio.project_id}
    assert (await api.post(CREATE, body)).status == status


@pytest.mark.parametrize(("limit", "status"), [(5, 422), (6, 201), (None, 201)])
async def test_name_max_length(open_api: OpenApi, limit: int | None, status: int) -> None:
    api = await open_api(name_max_length=limit)
    body = {"name": "sixsix", "project_id": api.studio.project_id}
    assert (await api.post(CREATE, body)).status == status


@pytest.mark.parametrize(("switch", "status", "count"), [("refuse", 422, 0), ("clamp", 200, 3)])
async def test_page_caps(open_api: OpenApi, switch: str, status: int, count: int) -> None:
    api = await open_api(page_default=2, page_max=3, page_over_limit=switch)
    for number in range(5):
        await api.spec(f"s{number}")
    assert made(await api.get(CREATE))["count"] == 2
    assert made(await api.get(f"{CREATE}?limit=3"))["count"] == 3
    over = await api.get(f"{CREATE}?limit=4")
    assert over.status == status
    assert status == 422 or (over.json["count"], over.json["total"]) == (count, 5)


@pytest.mark.parametrize(("form", "kind"), [("envelope", dict), ("array", list)])
async def test_project_list(open_api: OpenApi, form: str, kind: type) -> None:
    api = await open_api(project_list=form)
    assert isinstance((await api.get("/projects")).json, kind)


async def test_max_body_bytes(open_api: OpenApi) -> None:
    api = await open_api(max_body_bytes=1000)
    body = {"name": "s", "project_id": api.studio.project_id, "notes": "x" * 1000}
    answer = await api.post(CREATE, body)
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/json"
    made(await api.post(CREATE, {**body, "notes": ""}))


@pytest.mark.parametrize(("switch", "status"), [("refuse", 422), ("accept", 201)])
async def test_nan(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(nan=switch)
    body = {"name": "s", "project_id": api.studio.project_id, "properties": {"x": float("nan")}}
    assert (await api.post(CREATE, body)).status == status


async def _held(api: Api) -> str:
    api.studio.faults.add(FaultRule(kind=FaultKind.PROCESSING_STUCK, endpoint="processing"))
    cell = await api.cell()
    measurement = await api.begin(cell)
    made(await api.confirm(measurement, cell))
    return measurement


async def test_steps_while_processing_status(open_api: OpenApi) -> None:
    api = await open_api(steps_while_processing_status=425)
    measurement = await _held(api)
    for leaf in ("steps/download", "cycles", "steps_and_cycles"):
        assert (await api.get(f"/cell_measurements/{measurement}/{leaf}")).status == 425


@pytest.mark.parametrize(("switch", "status"), [("answer", 200), ("refuse", 409)])
async def test_plain_get_while_processing(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(plain_get_while_processing=switch)
    path = f"/cell_measurements/{await _held(api)}"
    assert (await api.get(path)).status == status
    lean = "include_steps=false&include_time_series=false"
    assert (await api.get(f"{path}?{lean}")).status == 200


@pytest.mark.parametrize(("switch", "status"), [("conflict", 409), ("replace", 200)])
async def test_open_extend(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(open_extend=switch)
    path = f"/cell_measurements/{await api.upload(await api.cell())}/initiate-extend"
    made(await api.post(path, {}))
    assert (await api.post(path, {})).status == status


@pytest.mark.parametrize("status", [400, 422])
async def test_bad_end_time_status(open_api: OpenApi, status: int) -> None:
    api = await open_api(bad_end_time_status=status)
    cell = await api.cell()
    times = {"start_time": "2026-01-02T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}
    assert (await api.confirm(await api.begin(cell), cell, **times)).status == status


@pytest.mark.parametrize(("can", "status"), [(True, 200), (False, 400)])
async def test_start_time_can_be_patched(open_api: OpenApi, can: object, status: int) -> None:
    api = await open_api(start_time_can_be_patched=can)
    measurement = await api.upload(await api.cell())
    change = {"start_time": "2026-01-02T00:00:00Z"}
    assert (await api.patch(f"/cell_measurements/{measurement}", change)).status == status


@pytest.mark.parametrize(("forever", "status"), [(True, 409), (False, 201)])
async def test_open_run_holds_channel(open_api: OpenApi, forever: object, status: int) -> None:
    api = await open_api(open_run_holds_channel=forever)
    site = made(await api.post("/sites", {"name": "lab"}))["id"]
    body = {"name": "Maccor", "project_id": api.studio.project_id}
    cycler = made(await api.post(f"/sites/{site}/cyclers", body))["id"]
    channel = made(await api.post(f"/cyclers/{cycler}/channels", {"name": "1"}))["id"]
    cell = await api.cell()
    await api.upload(cell, "open", channel_id=channel, start_time="2026-01-01T00:00:00Z")
    later = await api.confirm(
        await api.begin(cell, "later"),
        cell,
        name="later",
        channel_id=channel,
        start_time="2026-02-01T00:00:00Z",
    )
    assert later.status == status


@pytest.mark.parametrize(("switch", "tags"), [("all_or_nothing", []), ("known_first", ["x"])])
async def test_bulk_tags(open_api: OpenApi, switch: str, tags: list[str]) -> None:
    api = await open_api(bulk_tags=switch)
    measurement = await api.upload(await api.cell())
    bulk = {"measurement_ids": [measurement, "none"], "add": ["x"]}
    assert (await api.post("/cell_measurements/tags/bulk", bulk)).status == 404
    assert (await api.measurement(measurement))["tags"] == tags


@pytest.mark.parametrize(("unique", "status"), [(True, 409), (False, 201)])
async def test_raw_names_unique(open_api: OpenApi, unique: object, status: int) -> None:
    api = await open_api(raw_names_unique=unique)
    body = {"project_id": api.studio.project_id, "name": "r", "filename": "r.csv"}
    statuses = []
    for _ in range(2):
        begun = made(await api.post("/raw_data/initiate-upload", body))
        assert (await api.put(begun["uploads"][0]["signed_url"], b"x")).status == 200
        path = f"/raw_data/{begun['raw_data_id']}/confirm-upload"
        statuses.append((await api.post(path, {**body, "size_bytes": 1})).status)
    assert statuses == [201, status]


@pytest.mark.parametrize(("switch", "status"), [("refuse", 400), ("accept", 200)])
async def test_equal_filenames(open_api: OpenApi, switch: str, status: int) -> None:
    api = await open_api(equal_filenames=switch)
    cell = await api.cell()
    answer = await api.initiate(cell, measurement_type="file", filenames=["a", "a"])
    assert answer.status == status


@pytest.mark.parametrize(
    ("derive", "switch", "status"),
    [
        ("processing", "fail", "failed"),
        ("processing", "none", "ready"),
        ("first_read", "fail", "ready"),
    ],
)
async def test_underivable_steps(open_api: OpenApi, derive: str, switch: str, status: str) -> None:
    api = await open_api(derive_steps=derive, underivable_steps=switch)
    data = series(table().drop_columns(["Voltage [V]"]))
    measurement = await api.upload(await api.cell(), data=data)
    assert (await api.measurement(measurement))["processing_status"] == status
    cycles = await api.get(f"/cell_measurements/{measurement}/cycles")
    if switch == "none":
        assert made(cycles) == {"cycles": {}}
    else:
        assert cycles.status == 404


async def test_latency(open_api: OpenApi) -> None:
    api = await open_api(latency_s=0.2)
    start = time.monotonic()
    await api.get("/healthz")
    assert time.monotonic() - start >= 0.2


async def test_requests_per_s(open_api: OpenApi) -> None:
    api = await open_api(requests_per_s=5.0, rate_limit_retry_after_s=3)
    answers = [await api.get("/users/me") for _ in range(10)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert len(answers) - len(refused) >= 5
    assert all(answer.headers["Retry-After"] == "3" for answer in refused)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_s": -1.0},
        {"processing_slots": 0},
        {"page_max": 0},
        {"redirect_status": 304},
        {"requests_per_s": 0.0},
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        StudioSettings(data_dir=tmp_path, **wrong)


#: Settings that other modules test.
ELSEWHERE = {
    "data_dir",
    "host",
    "port",
    "storage_port",
    "processing_s",
    "processing_slots",
    "derive_steps",
    "s3",
    "second_put",
    "put_answer",
    "storage_guard",
    "rate_limit_retry_after_s",
    "page_default",
    "page_max",
    "page_over_limit",
}


def test_every_switch_has_a_test() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    known = {"duplicate_at": "where_a_duplicate_is_found", "url_lifetime_s": "url_lifetime"}
    known |= {"upload_lifetime_s": "upload_lifetime", "latency_s": "latency"}
    for field in dataclasses.fields(StudioSettings):
        assert field.name in ELSEWHERE or known.get(field.name, field.name) in tested
