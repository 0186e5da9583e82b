"""Specifications, lots, cells, projects: fields, uniqueness, changes, deletes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localstudio.support import Api, made, series

pytestmark = pytest.mark.anyio


async def test_specification_with_components_and_shared_materials(api: Api) -> None:
    cathode = {
        "properties": {"loading": {"value": 12.3, "unit": "mg/cm**2"}},
        "material": {"name": "NCM622", "manufacturer": "BASF"},
    }
    one = await api.spec("one", cathode=cathode, form_factor="R2032")
    two = await api.spec("two", cathode=cathode)
    first = (await api.get(f"/cell_specifications/{one}")).json
    second = (await api.get(f"/cell_specifications/{two}")).json
    assert first["cathode"]["material"]["name"] == "NCM622"
    assert first["cathode"]["material_id"] == second["cathode"]["material_id"]
    assert first["cathode_id"] != second["cathode_id"]
    listed = (await api.get("/cell_specifications?form_factor=eq.R2032")).json
    assert [item["id"] for item in listed["items"]] == [one]
    assert "cathode" not in listed["items"][0]
    full = (await api.get("/cell_specifications?full=true&form_factor=eq.R2032")).json
    assert full["items"][0]["cathode"]["properties"] == cathode["properties"]
    material = first["cathode"]["material_id"]
    query = f"project_id={api.studio.project_id}&material_ids={material}&exclude_cell_spec_id={one}"
    related = (await api.get(f"/cell_specifications?{query}")).json
    assert [item["id"] for item in related["items"]] == [two]


@pytest.mark.parametrize("kind", ["spec", "batch", "instance", "measurement", "site", "project"])
async def test_duplicate_name_is_409_with_the_existing_id(api: Api, kind: str) -> None:
    path, body = await _create_request(api, kind)
    first = made(await api.post(path, body))
    again = await api.post(path, body)
    assert again.status == 409
    assert again.json["error_code"] == "CONFLICT"
    assert again.json["detail"]["existing_id"] == first["id"]
    assert again.json["detail"]["resource_name"] == body["name"]


async def _create_request(api: Api, kind: str) -> tuple[str, dict[str, Any]]:
    if kind == "spec":
        return "/cell_specifications", {"name": "n", "project_id": api.studio.project_id}
    if kind in {"site", "project"}:
        return f"/{kind}s", {"name": "n"}
    if kind == "measurement":
        path = f"/cell_instances/{await api.cell()}/cell_measurements/create"
        return path, {"name": "n", "properties": {}, "measurement_type": "properties"}
    collection = {"batch": "cell_batches", "instance": "cell_instances"}[kind]
    return f"/cell_specifications/{await api.spec()}/{collection}", {"name": "n"}


async def test_same_name_under_another_parent_is_free(api: Api) -> None:
    first = await api.cell("same", await api.spec("a"))
    second = await api.cell("same", await api.spec("b"))
    assert first != second


async def test_lots_are_unique_without_regard_to_case(api: Api) -> None:
    path = f"/cell_specifications/{await api.spec()}/cell_batches"
    first = made(await api.post(path, {"name": "Lot A"}))
    again = await api.post(path, {"name": "lot a"})
    assert again.json["detail"]["existing_id"] == first["id"]


async def test_cell_in_a_lot_and_out_again(api: Api) -> None:
    spec = await api.spec()
    path = f"/cell_specifications/{spec}/cell_batches"
    lot = made(await api.post(path, {"name": "L", "date_manufactured": "2026-01-02"}))["id"]
    cell = await api.cell("c", spec, batch_id=lot)
    other = await api.cell("d", spec)
    found = (await api.get(f"/cell_instances/{cell}")).json
    assert (found["batch_id"], found["batch_name"]) == (lot, "L")
    listed = (await api.get(f"/cell_specifications/{spec}/cell_instances?batch_id={lot}")).json
    assert [item["id"] for item in listed["items"]] == [cell]
    assert (await api.get(f"/cell_batches/{lot}")).json["instance_count"] == 1
    assert made(await api.patch(f"/cell_instances/{cell}", {"batch_id": None}))["batch_id"] is None
    made(await api.patch(f"/cell_instances/{other}", {"batch_id": lot}))
    assert (await api.delete(f"/cell_batches/{lot}")).status == 204
    assert (await api.get(f"/cell_instances/{other}")).json["batch_id"] is None


async def test_lot_of_another_specification_is_400(api: Api) -> None:
    lots = f"/cell_specifications/{await api.spec('a')}/cell_batches"
    lot = made(await api.post(lots, {"name": "L"}))["id"]
    cells = f"/cell_specifications/{await api.spec('b')}/cell_instances"
    assert (await api.post(cells, {"name": "c", "batch_id": lot})).status == 400


async def test_patch_changes_what_it_names_and_a_taken_name_is_409(api: Api) -> None:
    one, two = await api.spec("one", notes="keep"), await api.spec("two")
    before = (await api.get(f"/cell_specifications/{one}")).json
    changed = made(await api.patch(f"/cell_specifications/{one}", {"name": "uno"}))
    assert (changed["name"], changed["notes"]) == ("uno", "keep")
    assert changed["updated_at"] > before["updated_at"]
    taken = await api.patch(f"/cell_specifications/{one}", {"name": "two"})
    assert taken.json["detail"]["existing_id"] == two


async def test_deleting_a_specification_takes_all_below_it(api: Api) -> None:
    spec = await api.spec()
    cell = await api.cell("c", spec)
    measurement = await api.upload(cell)
    url = (await api.get(f"/cell_measurements/{measurement}/time_series/download")).headers
    assert (await api.delete(f"/cell_specifications/{spec}")).status == 204
    for path in (f"/cell_instances/{cell}", f"/cell_measurements/{measurement}"):
        assert (await api.get(path)).status == 404
    assert (await api.get(url["Location"])).status == 404
    assert await api.cell("c", await api.spec("spec")) != cell


async def test_projects_are_made_listed_changed_and_deleted(api: Api) -> None:
    project = made(await api.post("/projects", {"name": "P", "description": "d"}))["id"]
    listed = (await api.get("/projects?order_by=name&order=asc")).json
    assert [item["name"] for item in listed["items"]] == ["Local project", "P"]
    assert made(await api.patch(f"/projects/{project}", {"name": "Q"}))["description"] == "d"
    spec = await api.spec("s", project_id=project)
    only = (await api.get(f"/cell_specifications?project_id={project}&name=eq.s")).json
    assert [item["id"] for item in only["items"]] == [spec]
    assert (await api.delete(f"/projects/{project}")).status == 204
    assert (await api.get(f"/cell_specifications/{spec}")).status == 404
    assert (await api.delete(f"/projects/{api.studio.project_id}")).status == 403


async def test_raw_files_are_stored_linked_and_unlinked(api: Api) -> None:
    measurement = await api.upload(await api.cell())
    common = {
        "project_id": api.studio.project_id,
        "name": "run.csv",
        "filename": "run #1.csv",
        "content_type": "text/csv",
        "metadata": {},
    }
    begun = made(await api.post("/raw_data/initiate-upload", common))
    raw = begun["raw_data_id"]
    confirm = f"/raw_data/{raw}/confirm-upload"
    assert (await api.get(f"/raw_data/{raw}")).status == 404
    assert (await api.put(begun["uploads"][0]["signed_url"], b"a,b,c\n1")).status == 200
    assert (await api.post(confirm, {**common, "name": "other", "size_bytes": 7})).status == 400
    assert (await api.post(confirm, {**common, "size_bytes": 8})).status == 400
    made(await api.post(confirm, {**common, "size_bytes": 7}))
    links = f"/cell_measurements/{measurement}/raw_data"
    for _ in range(2):
        assert (await api.post(links, {"raw_data_ids": [raw]})).status == 204
    linked = (await api.get(f"/raw_data/{raw}/cell_measurements")).json
    assert (linked["items"], linked["total"]) == ([measurement], 1)
    assert (await api.get(links)).json["items"][0]["filename"] == "run #1.csv"
    renamed = made(await api.patch(f"/raw_data/{raw}", {"name": "n", "filename": "x"}))
    assert (renamed["name"], renamed["filename"]) == ("n", "run #1.csv")
    url = (await api.get(f"/raw_data/{raw}/download-url")).json["url"]
    assert (await api.get(url)).body == b"a,b,c\n1"
    assert (await api.delete(f"{links}/{raw}")).status == 204
    assert (await api.get(links)).json["total"] == 0
    assert (await api.delete(f"/raw_data/{raw}")).status == 204
    assert (await api.get(url)).status == 404


async def test_protocols_are_the_same_where_their_content_is(api: Api) -> None:
    body = {
        "name": "CC",
        "protocol_config": {"steps": []},
        "parameters_schema": {},
        "project_id": api.studio.project_id,
    }
    first = made(await api.post("/experiment_templates", body))
    assert made(await api.post("/experiment_templates", {**body, "name": "x"}))["id"] == first["id"]
    forced = await api.post("/experiment_templates", {**body, "force_create": True})
    assert forced.status == 409
    assert "existing_id" not in (forced.json["detail"] or {})
    other = {**body, "protocol_config": {"steps": [1]}}
    assert made(await api.post("/experiment_templates", other))["id"] != first["id"]
    query = f"project_id={api.studio.project_id}"
    assert (await api.get(f"/experiment_templates?{query}")).json["total"] == 2
    assert (await api.get(f"/experiment_templates?{query}&limit=101")).status == 422


async def test_failed_measurement_keeps_its_name(api: Api) -> None:
    cell = await api.cell()
    failed = await api.upload(cell, data=b"not parquet at all")
    assert (await api.measurement(failed))["processing_status"] == "failed"
    again = await api.initiate(cell)
    assert again.json["detail"]["existing_id"] == failed
    assert (await api.delete(f"/cell_measurements/{failed}")).status == 204
    assert await api.upload(cell, data=series()) != failed
