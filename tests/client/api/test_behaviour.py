"""One suite, three ways: bulkload and the vendor's client on the local Studio, bulkload live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from bulkload.localstudio import LocalStudio
from tests.client.api.faces import LOCAL, Face, has_live_key, live_face
from tests.client.api.samples import charge_and_discharge, detail


@pytest.fixture(params=["bulkload", "official", pytest.param("live", marks=pytest.mark.live)])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    if request.param == "live":
        if not has_live_key():
            pytest.skip("needs IONWORKS_API_KEY and IONWORKS_PROJECT_ID")
        with live_face() as live:
            yield live
        return
    studio: LocalStudio = request.getfixturevalue("studio")
    with LOCAL[request.param](studio) as local:
        yield local


def test_a_specification_is_created_read_found_changed_and_deleted(face: Face) -> None:
    spec = face.spec(form_factor="21700", manufacturer="LG")
    assert face.client.cell_spec.get(spec.id).name == spec.name
    found = face.client.cell_spec.list(name_exact=spec.name)
    assert [each.id for each in found] == [spec.id]
    assert found[0].form_factor == "21700"
    assert face.client.cell_spec.update(spec.id, {"manufacturer": "Other"}).manufacturer == "Other"
    other = face.client.cell_spec.create({"name": face.name("to go"), "ratings": spec.ratings})
    face.client.cell_spec.delete(other.id)
    with pytest.raises(face.error) as caught:
        face.client.cell_spec.get(other.id)
    assert caught.value.status_code == 404  # type: ignore[attr-defined]


def test_a_taken_name_is_a_conflict_that_names_the_record(face: Face) -> None:
    spec = face.spec()
    with pytest.raises(face.error) as caught:
        face.client.cell_spec.create({"name": spec.name, "ratings": spec.ratings})
    error: Any = caught.value
    assert (error.status_code, error.error_code) == (409, "CONFLICT")
    assert error.data["detail"]["existing_id"] == spec.id


def test_create_or_get_gives_the_same_record_every_time(face: Face) -> None:
    client, spec = face.client, face.spec()
    again = {"name": spec.name, "ratings": spec.ratings}
    assert client.cell_spec.create_or_get(again).id == spec.id
    cell = client.cell_instance.create_or_get(spec.id, {"name": "cell 1"})
    assert client.cell_instance.create_or_get(spec.id, {"name": "cell 1"}).id == cell.id
    first = client.cell_measurement.create_or_get(cell.id, detail("RPT 0"))
    assert client.cell_measurement.create_or_get(cell.id, detail("RPT 0")).id == first.id
    assert [each.id for each in client.cell_measurement.list(cell.id)] == [first.id]


def test_lots_have_names_without_case_and_cells_belong_to_them(face: Face) -> None:
    client, spec = face.client, face.spec()
    lot = client.cell_batch.create(spec.id, {"name": "Lot A", "date_manufactured": "2025-01-15"})
    assert client.cell_batch.create_or_get(spec.id, {"name": "LOT a"}).id == lot.id
    cell = client.cell_instance.create(spec.id, {"name": "cell 1", "batch_id": lot.id})
    client.cell_instance.create(spec.id, {"name": "cell 2"})
    assert cell.batch_name == "Lot A"
    assert [each.id for each in client.cell_instance.list(spec.id, batch_id=lot.id)] == [cell.id]
    assert client.cell_batch.get(lot.id).instance_count == 1
    assert client.cell_instance.update(cell.id, {"batch_id": None}).batch_id is None
    client.cell_batch.delete(lot.id)
    assert len(client.cell_instance.list(spec.id)) == 2


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict"])
def test_a_time_series_comes_back_as_it_went(face: Face, kind: str) -> None:
    sent = charge_and_discharge()
    forms = {"pandas": sent, "polars": pl.from_pandas(sent), "dict": sent.to_dict("list")}
    cell = face.cell()
    bundle = face.client.cell_measurement.create(cell.id, detail("RPT 0", forms[kind]))
    assert bundle.cell_instance_id == cell.id
    assert isinstance(bundle.steps_created, int)
    assert face.client.cell_measurement.get(bundle.id).processing_status == "ready"
    back = face.client.cell_measurement.time_series(bundle.id)
    assert isinstance(back, pl.DataFrame)
    pd.testing.assert_frame_equal(back.to_pandas(), sent, check_dtype=True)


def test_the_server_derives_steps_and_cycles(face: Face) -> None:
    bundle = face.client.cell_measurement.create(face.cell().id, detail("RPT 0"))
    steps = face.client.cell_measurement.steps(bundle.id)
    assert steps["Step count"].to_list() == [0, 1]
    assert len(face.client.cell_measurement.cycles(bundle.id)) == 1
    both = face.client.cell_measurement.steps_and_cycles(bundle.id)
    assert (len(both.steps), len(both.cycles)) == (2, 1)


def test_a_window_of_rows_can_be_read(face: Face) -> None:
    sent = charge_and_discharge()
    bundle = face.client.cell_measurement.create(face.cell().id, detail("RPT 0", sent))
    rows = face.client.cell_measurement.time_series(bundle.id, row_range=(40, 60))
    assert rows["Time [s]"].to_list() == sent["Time [s]"].to_list()[40:60]


def test_bad_data_is_refused_before_anything_is_sent(face: Face) -> None:
    cell = face.cell()
    turned = charge_and_discharge()
    turned["Current [A]"] = -turned["Current [A]"]
    with pytest.raises(face.invalid) as caught:
        face.client.cell_measurement.create(cell.id, detail("RPT 0", turned))
    error: Any = caught.value
    assert "current_sign_reversed" in {str(issue.code) for issue in error.errors}
    assert len(face.client.cell_measurement.list(cell.id)) == 0


def test_strict_checks_can_be_skipped_by_name(face: Face) -> None:
    cell = face.cell()
    gap = charge_and_discharge().drop(columns=["Charge capacity [A.h]", "Discharge capacity [A.h]"])
    gap.loc[50:, "Time [s]"] += 6 * 3600
    create = face.client.cell_measurement.create
    with pytest.raises(face.invalid, match=r"6\.00 h"):
        create(cell.id, detail("gap", gap), validate_strict=True)
    bundle = create(cell.id, detail("gap", gap), validate_strict=True, skip_checks={"time_gaps"})
    assert bundle.name == "gap"
    with pytest.raises(ValueError, match="time_gapz"):
        create(cell.id, detail("other", gap), skip_checks={"time_gapz"})


def test_properties_are_kept(face: Face) -> None:
    cell = face.cell()
    made = face.client.cell_measurement.create_properties(
        cell.id, "thickness", {"thickness": {"value": 0.52, "unit": "mm"}}, notes="by hand"
    )
    record = face.client.cell_measurement.get(made.id)
    assert str(record.measurement_type) == "properties"
    assert record.properties["thickness"]["value"] == 0.52
    assert record.notes == "by hand"


def test_files_come_back_byte_for_byte(face: Face, tmp_path: Path) -> None:
    first, second = tmp_path / "a.pdf", tmp_path / "b.txt"
    first.write_bytes(b"%PDF-1.4 " + bytes(range(256)))
    second.write_bytes(b"notes")
    cell = face.cell()
    made = face.client.cell_measurement.create_file(cell.id, "SEM", [str(first), str(second)])
    assert sorted(face.client.cell_measurement.list_files(made.id)) == ["a.pdf", "b.txt"]
    files = face.client.cell_measurement.download_files(made.id)
    assert files == {"a.pdf": first.read_bytes(), "b.txt": b"notes"}
    assert face.client.cell_measurement.get_file(made.id, "b.txt") == b"notes"


def test_a_running_test_is_extended(face: Face) -> None:
    cell = face.cell()
    first = charge_and_discharge()
    bundle = face.client.cell_measurement.create(cell.id, detail("RPT 0", first))
    more = first.copy()
    more["Time [s]"] += 1000.0
    more["Step count"] += 2
    face.client.cell_measurement.extend(bundle.id, more)
    back = face.client.cell_measurement.time_series(bundle.id)
    assert len(back) == 200
    assert len(face.client.cell_measurement.steps(bundle.id)) == 4
    with pytest.raises(face.error):
        face.client.cell_measurement.extend(bundle.id, more)
    with pytest.raises(face.invalid):
        face.client.cell_measurement.extend(bundle.id, more.iloc[::-1])
    with pytest.raises(face.error):
        face.client.cell_measurement.extend(bundle.id, more.iloc[:0])


def test_tags_are_added_listed_filtered_and_removed(face: Face) -> None:
    client, cell = face.client, face.cell()
    one = client.cell_measurement.create_properties(cell.id, "one", {"a": "b"}, tags=["HPPC"])
    two = client.cell_measurement.create_properties(cell.id, "two", {"a": "b"})
    tag = face.name("tag")
    assert client.cell_measurement.add_tags([one.id, two.id], [tag]) == 2
    assert client.cell_measurement.add_tags(one.id, [tag]) == 0
    both = client.cell_measurement.list(cell.id, tags_all=[tag, "hppc"])
    assert [each.id for each in both] == [one.id]
    assert len(client.cell_measurement.list_by_project(face.project_id, tags_any=[tag])) == 2
    usage = client.cell_measurement.list_tags(face.project_id, q=tag)
    assert [(each.tag, each.usage_count) for each in usage] == [(tag, 2)]
    assert client.cell_measurement.remove_tags([one.id, two.id], [tag.upper()]) == 2
    assert client.cell_measurement.update(one.id, {"tags": ["new"]}).tags == ["new"]


def test_raw_data_is_stored_linked_and_read_back(face: Face, tmp_path: Path) -> None:
    client = face.client
    source = tmp_path / "run.csv"
    source.write_bytes(b"time,voltage\n0,3.0\n")
    raw = client.raw_data.upload(face.project_id, source, source="Arbin 3", metadata={"k": 1})
    assert (raw.name, raw.filename, raw.source) == ("run.csv", "run.csv", "Arbin 3")
    bundle = client.cell_measurement.create(face.cell().id, detail("RPT 0"))
    client.cell_measurement.attach_raw_data(bundle.id, [raw.id])
    client.cell_measurement.attach_raw_data(bundle.id, [raw.id])
    assert [each.id for each in client.cell_measurement.list_raw_data(bundle.id)] == [raw.id]
    assert list(client.raw_data.list_measurements(raw.id)) == [bundle.id]
    assert client.raw_data.download(raw.id) == source.read_bytes()
    assert client.raw_data.update(raw.id, name="renamed").name == "renamed"
    client.cell_measurement.detach_raw_data(bundle.id, raw.id)
    assert len(client.cell_measurement.list_raw_data(bundle.id)) == 0
    client.raw_data.delete(raw.id)


def test_many_uploads_are_waited_for_together(face: Face) -> None:
    cell = face.cell()
    ids = [
        face.client.cell_measurement.create(
            cell.id, detail(f"RPT {number}"), wait_for_processing=False
        ).id
        for number in range(3)
    ]
    states = face.client.cell_measurement.wait_for_processing(ids)
    assert {key: state["processing_status"] for key, state in states.items()} == dict.fromkeys(
        ids, "ready"
    )


def test_a_measurement_is_found_by_its_three_names(face: Face) -> None:
    spec = face.spec()
    cell = face.client.cell_instance.create(spec.id, {"name": "cell 1"})
    made = face.client.cell_measurement.create_properties(cell.id, "one", {"a": "b"})
    assert face.client.resolve_measurement(spec.name, "cell 1", "one").id == made.id
    with pytest.raises(face.error) as caught:
        face.client.resolve_measurement(spec.name, "cell 1", "two")
    assert caught.value.status_code == 404  # type: ignore[attr-defined]


def test_lists_begin_and_end_where_asked(face: Face) -> None:
    spec = face.spec()
    for number in range(5):
        face.client.cell_instance.create(spec.id, {"name": f"cell {number}"})
    page = face.client.cell_instance.list(spec.id, 2, 1, order_by="name", order="asc")
    assert [each.name for each in page] == ["cell 1", "cell 2"]
    assert page.total == 5
    assert len(face.client.cell_instance.list(spec.id, name="CELL 3")) == 1


def test_the_service_says_who_asks(face: Face) -> None:
    assert "email" in face.client.whoami()
    assert face.client.health_check() is not None
    assert face.project_id in [project.id for project in face.client.project.list()]
    assert face.client.project.get(face.project_id).id == face.project_id


@pytest.mark.parametrize(
    ("data_type", "columns"),
    [
        ("ocp", {"Voltage [V]": [3.0, 3.1], "SOC": [0.1, 0.2], "Step count": [0, 0]}),
        (
            "eis",
            {
                "Frequency [Hz]": [1000.0, 100.0, 10.0],
                "Z_Re [Ohm]": [0.02, 0.03, 0.04],
                "Z_Im [Ohm]": [-0.001, -0.01, -0.02],
                "Step count": [0, 0, 0],
                "Time [s]": [0.0, 1.0, 2.0],
                "Voltage [V]": [3.6, 3.6, 3.6],
                "Current [A]": [0.0, 0.0, 0.0],
            },
        ),
    ],
)
def test_other_data_types_have_their_own_checks(
    face: Face, data_type: str, columns: dict[str, list[float]]
) -> None:
    cell = face.cell()
    made = face.client.cell_measurement.create(
        cell.id, detail("special", columns, data_type=data_type)
    )
    assert not hasattr(face.client.cell_measurement.get(made.id), "data_type")
    missing = "Voltage [V]" if data_type == "ocp" else "Z_Im [Ohm]"
    columns = {name: values for name, values in columns.items() if name != missing}
    with pytest.raises(face.invalid):
        face.client.cell_measurement.create(cell.id, detail("broken", columns, data_type=data_type))


def test_a_cell_is_read_with_everything_that_it_holds(face: Face, tmp_path: Path) -> None:
    cell = face.cell()
    series = face.client.cell_measurement.create(cell.id, detail("series"))
    face.client.cell_measurement.create_properties(cell.id, "mass", {"mass": {"value": 46.5}})
    picture = tmp_path / "SEM.png"
    picture.write_bytes(b"\x89PNG\r\n")
    face.client.cell_measurement.create_file(cell.id, "picture", [str(picture)])
    face.client.cell_measurement.wait_for_processing([series.id])
    found = face.client.cell_instance.detail(cell.id)
    assert found.instance.name == "cell 1"
    assert found.specification_id == cell.cell_specification_id
    held = {one.name: one for one in found.measurements}
    assert set(held) == {"series", "mass", "picture"}
    assert all(one.instance_id == cell.id for one in held.values())
    assert len(held["series"].time_series) == len(charge_and_discharge())
    assert (len(held["series"].steps), len(held["series"].cycles)) == (2, 1)
    assert held["picture"].files == {"SEM.png": b"\x89PNG\r\n"}
    assert held["mass"].model_dump()["properties"] == {"mass": {"value": 46.5}}
    assert held["mass"].time_series is held["mass"].files is held["series"].files is None
    # One of them, and no more than is asked for.
    one = face.client.cell_measurement.detail(
        series.id, include_steps=False, include_cycles=False, include_time_series=True
    )
    assert (one.name, one.steps, one.cycles) == ("series", None, None)
    assert len(one.time_series) == len(charge_and_discharge())
