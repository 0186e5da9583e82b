"""The vendor's own client, unchanged, against the local Studio: it keeps the Studio honest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ionworks
import numpy as np
import pandas as pd
import pytest
from ionworks import cell_measurement

from bulkload.localstudio import LocalStudio
from tests.localstudio.support import Api, OpenApi

pytestmark = pytest.mark.anyio

RATINGS = {
    "capacity": {"value": 0.002, "unit": "A*h"},
    "voltage_min": {"value": 2.5, "unit": "V"},
    "voltage_max": {"value": 4.2, "unit": "V"},
}


@pytest.fixture(autouse=True)
def quiet_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this shell, no cache of another test, and less time between polls."""
    for name in ("API_KEY", "API_TOKEN", "API_URL", "PROJECT_ID", "ORGANIZATION_ID"):
        monkeypatch.delenv(f"IONWORKS_{name}", raising=False)
    monkeypatch.setattr(cell_measurement, "PROCESSING_POLL_SECONDS", 0.01)
    ionworks.set_cache_directory(str(tmp_path / "cache"))


def frame(rows: int = 6, start: float = 0.0, first_step: int = 0) -> pd.DataFrame:
    """Make a charge in two steps."""
    return pd.DataFrame(
        {
            "Time [s]": start + np.arange(rows, dtype=float),
            "Voltage [V]": np.linspace(3.0, 4.2, rows),
            "Current [A]": np.full(rows, -0.002),
            "Step count": first_step + (np.arange(rows) * 2 // rows),
            "Cycle count": np.zeros(rows, dtype=int),
        }
    )


def connect(studio: LocalStudio, **options: Any) -> Any:
    """Return the official client for this Studio."""
    credentials = options or {"api_key": studio.api_key}
    return ionworks.Ionworks(
        api_url=studio.url, project_id=studio.project_id, dataframe_backend="pandas", **credentials
    )


async def use(studio: LocalStudio, script: Callable[[Any], None], **options: Any) -> None:
    """Run a script with the official client in a thread: it blocks, the Studio must not."""
    await asyncio.to_thread(lambda: script(connect(studio, **options)))


def cell(client: Any, name: str = "cell") -> Any:
    spec = client.cell_spec.create_or_get({"name": "spec", "ratings": RATINGS})
    return client.cell_instance.create_or_get(spec.id, {"name": name})


async def test_identity_and_projects(api: Api) -> None:
    def script(client: Any) -> None:
        assert client.health_check()["status"] == "ok"
        assert client.whoami()["authorized_organization"]["id"] == api.studio.organization_id
        project = client.project.create({"name": "second"})
        assert client.project.get(project.id).name == "second"
        assert [found.id for found in client.project.list(name_exact="second")] == [project.id]
        client.project.delete(project.id)
        assert len(client.project.list()) == 1

    await use(api.studio, script)


async def test_token_and_organization_work_as_the_key_does(api: Api) -> None:
    credentials = {"token": api.studio.api_token, "organization_id": api.studio.organization_id}

    def script(client: Any) -> None:
        known = client.whoami()["authorized_organization"]
        assert known["id"] == api.studio.organization_id

    await use(api.studio, script, **credentials)


async def test_wrong_key_is_an_ionworks_error(api: Api) -> None:
    def script(client: Any) -> None:
        with pytest.raises(ionworks.IonworksError) as caught:
            client.whoami()
        assert caught.value.status_code == 401

    await use(api.studio, script, api_key="wrong")


async def test_specifications(api: Api) -> None:
    def script(client: Any) -> None:
        data = {
            "name": "NCM622/Graphite",
            "form_factor": "R2032",
            "ratings": RATINGS,
            "cathode": {"material": {"name": "NCM622", "manufacturer": "BASF"}},
        }
        spec = client.cell_spec.create(data)
        assert client.cell_spec.create_or_get(data).id == spec.id
        found = client.cell_spec.get(spec.id)
        assert found.ratings == RATINGS
        assert found.cathode["material"]["name"] == "NCM622"
        other = client.cell_spec.create({**data, "name": "other"})
        assert [each.id for each in client.cell_spec.related_specs(spec.id)] == [other.id]
        assert client.cell_spec.list(name_exact="other", include_components=True)[0].id == other.id
        assert client.cell_spec.list(form_factor="R2032", limit=1).total == 2
        assert client.cell_spec.update(other.id, {"notes": "n"}).notes == "n"
        client.cell_spec.delete(other.id)
        assert [each.id for each in client.cell_spec.list()] == [spec.id]

    await use(api.studio, script)


async def test_batches_and_instances(api: Api) -> None:
    def script(client: Any) -> None:
        spec = client.cell_spec.create({"name": "spec", "ratings": RATINGS})
        lot = client.cell_batch.create_or_get(spec.id, {"name": "LOT-1"})
        assert client.cell_batch.create_or_get(spec.id, {"name": "lot-1"}).id == lot.id
        data = {"name": "c1", "batch_id": lot.id, "date_manufactured": "2024-01-20"}
        instance = client.cell_instance.create_or_get(spec.id, data)
        assert client.cell_instance.create_or_get(spec.id, data).id == instance.id
        assert instance.batch_name == "LOT-1"
        assert client.cell_batch.get(lot.id).instance_count == 1
        assert client.cell_instance.list(spec.id, batch_id=lot.id).total == 1
        assert client.cell_instance.update(instance.id, {"batch_id": None}).batch_id is None
        assert [each.id for each in client.cell_batch.list(spec.id)] == [lot.id]
        client.cell_batch.delete(lot.id)
        client.cell_instance.delete(instance.id)
        assert client.cell_instance.list(spec.id).total == 0

    await use(api.studio, script)


async def test_time_series_is_created_and_read_back(api: Api) -> None:
    def script(client: Any) -> None:
        instance = cell(client)
        detail = {
            "measurement": {
                "name": "Formation Cycle 1",
                "protocol": {"name": "CC-CV", "ambient_temperature_degc": 25},
                "start_time": "2026-01-02T03:04:05Z",
                "tags": ["rpt"],
            },
            "time_series": frame(),
        }
        made = client.cell_measurement.create(instance.id, detail, validate_strict=True)
        assert (made.name, made.steps_created) == ("Formation Cycle 1", 0)
        again = client.cell_measurement.create_or_get(instance.id, detail)
        assert again.id == made.id
        found = client.cell_measurement.get(made.id)
        assert (found.processing_status, found.tags) == ("ready", ["rpt"])
        pd.testing.assert_frame_equal(client.cell_measurement.time_series(made.id), frame())
        window = client.cell_measurement.time_series(made.id, use_cache=False, row_range=(2, 4))
        assert window["Time [s]"].tolist() == [2.0, 3.0]
        assert len(client.cell_measurement.steps(made.id, use_cache=False)) == 2
        assert len(client.cell_measurement.cycles(made.id, use_cache=False)) == 1
        both = client.cell_measurement.steps_and_cycles(made.id, use_cache=False)
        assert (len(both.steps), len(both.cycles)) == (2, 1)
        listed = client.cell_measurement.list(instance.id, tags_all=["RPT"])
        assert [each.id for each in listed] == [made.id]
        detail_back = client.cell_measurement.detail(made.id, use_cache=False)
        assert len(detail_back.time_series) == 6
        whole = client.cell_instance.detail(instance.id)
        assert len(whole.measurements[0].steps) == 2

    await use(api.studio, script)


async def test_duplicate_resolves_wherever_it_is_found(open_api: OpenApi) -> None:
    api = await open_api(duplicate_at="confirm")

    def script(client: Any) -> None:
        instance = cell(client)
        detail = {"measurement": {"name": "run"}, "time_series": frame()}
        made = client.cell_measurement.create(instance.id, detail)
        assert client.cell_measurement.create_or_get(instance.id, detail).id == made.id

    await use(api.studio, script)


@pytest.mark.parametrize("form", ["without_existing_id", "legacy_keys", "nested", "plain"])
async def test_each_conflict_form_is_one_that_the_client_can_read(
    open_api: OpenApi, form: str
) -> None:
    api = await open_api(conflict_form=form)

    def script(client: Any) -> None:
        spec = client.cell_spec.create({"name": "spec", "ratings": RATINGS})
        assert client.cell_spec.create_or_get({"name": "spec", "ratings": RATINGS}).id == spec.id
        one = client.cell_instance.create(spec.id, {"name": "c"})
        assert client.cell_instance.create_or_get(spec.id, {"name": "c"}).id == one.id

    with pytest.warns() if form == "legacy_keys" else _nothing():
        await use(api.studio, script)


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


async def test_failed_processing_reaches_the_client_with_its_reason(api: Api) -> None:
    def script(client: Any) -> None:
        instance = cell(client)
        bad = frame().drop(columns="Step count")
        impedance = {"Frequency [Hz]": 1.0, "Z_Re [Ohm]": 1.0, "Z_Im [Ohm]": -1.0}
        detail = {
            "measurement": {"name": "eis", "data_type": "eis"},
            "time_series": bad.assign(**impedance),
        }
        with pytest.raises(ionworks.MeasurementProcessingError, match="no 'Step count' column"):
            client.cell_measurement.create(instance.id, detail)
        found = client.cell_measurement.create_or_get(instance.id, detail)
        assert found.processing_status == "failed"

    await use(api.studio, script)


async def test_properties_and_file_measurements(api: Api, tmp_path: Path) -> None:
    picture, report = tmp_path / "a.png", tmp_path / "report 1.pdf"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16))
    report.write_bytes(b"%PDF-1.4 something")

    def script(client: Any) -> None:
        instance = cell(client)
        properties = {"mass": {"value": 1.2, "unit": "g"}}
        made = client.cell_measurement.create_properties(instance.id, "weighing", properties)
        assert client.cell_measurement.get(made.id).properties == properties
        paths = [str(picture), str(report)]
        files = client.cell_measurement.create_file(instance.id, "SEM", paths)
        assert client.cell_measurement.list_files(files.id) == ["a.png", "report 1.pdf"]
        assert client.cell_measurement.get_file(files.id, "a.png") == picture.read_bytes()
        back = client.cell_measurement.download_files(files.id, use_cache=False)
        assert back["report 1.pdf"] == report.read_bytes()
        types = {each.measurement_type for each in client.cell_measurement.list(instance.id)}
        assert types == {"properties", "file"}

    await use(api.studio, script)


async def test_extend(api: Api) -> None:
    def script(client: Any) -> None:
        instance = cell(client)
        made = client.cell_measurement.create(
            instance.id, {"measurement": {"name": "ageing"}, "time_series": frame()}
        )
        delta = frame(start=6.0, first_step=2)
        assert client.cell_measurement.extend(made.id, delta).processing_status == "ready"
        stored = client.cell_measurement.time_series(made.id, use_cache=False)
        assert stored["Time [s]"].tolist() == list(range(12))
        with pytest.raises(ionworks.MeasurementProcessingError, match="starts at"):
            client.cell_measurement.extend(made.id, delta)
        client.cell_measurement.update(
            made.id, {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}
        )
        with pytest.raises(ionworks.IonworksError, match="finished"):
            client.cell_measurement.extend(made.id, frame(start=12.0, first_step=4))

    await use(api.studio, script)


async def test_tags(api: Api) -> None:
    def script(client: Any) -> None:
        instance = cell(client)
        ids = [
            client.cell_measurement.create_properties(instance.id, name, {}).id
            for name in ("a", "b")
        ]
        assert client.cell_measurement.add_tags(ids, ["RPT", "25 degC"]) == 2
        assert client.cell_measurement.remove_tags(ids[0], ["rpt"]) == 1
        used = client.cell_measurement.list_tags(api.studio.project_id)
        assert [(each.tag, each.usage_count) for each in used] == [("25 degC", 2), ("RPT", 1)]
        found = client.cell_measurement.list_by_project(api.studio.project_id, tags_any=["rpt"])
        assert [each.id for each in found] == [ids[1]]

    await use(api.studio, script)


async def test_raw_data(api: Api, tmp_path: Path) -> None:
    original = tmp_path / "run.csv"
    original.write_bytes(b"t,v\n0,3.5\n")

    def script(client: Any) -> None:
        instance = cell(client)
        made = client.cell_measurement.create(
            instance.id, {"measurement": {"name": "run"}, "time_series": frame()}
        )
        raw = client.raw_data.upload(api.studio.project_id, str(original))
        client.cell_measurement.attach_raw_data(made.id, [raw.id])
        client.cell_measurement.attach_raw_data(made.id, [raw.id])
        assert [each.id for each in client.cell_measurement.list_raw_data(made.id)] == [raw.id]
        assert list(client.raw_data.list_measurements(raw.id)) == [made.id]
        assert client.raw_data.download(raw.id, use_cache=False) == original.read_bytes()
        assert client.raw_data.update(raw.id, source="Arbin 3").source == "Arbin 3"
        client.cell_measurement.detach_raw_data(made.id, raw.id)
        client.raw_data.delete(raw.id)
        assert client.raw_data.list(project_id=api.studio.project_id).total == 0

    await use(api.studio, script)


async def test_equipment(api: Api) -> None:
    def script(client: Any) -> None:
        site = client.site.create_or_get({"name": "lab"})
        assert client.site.create_or_get({"name": "lab"}).id == site.id
        cycler = client.cycler.create_or_get(
            site.id, {"name": "Maccor", "project_id": api.studio.project_id}
        )
        channel = client.channel.create_or_get(cycler.id, {"name": "CH1"})
        assert client.channel.get(channel.id).out_of_commission is False
        instance = cell(client)
        run = {"name": "run", "channel_id": channel.id, "start_time": "2026-01-01T00:00:00Z"}
        client.cell_measurement.create(instance.id, {"measurement": run, "time_series": frame()})
        with pytest.raises(ionworks.IonworksError, match="overlaps"):
            client.cell_measurement.create(
                instance.id, {"measurement": {**run, "name": "clash"}, "time_series": frame()}
            )

    await use(api.studio, script)


async def test_gzip_payload(api: Api) -> None:
    def script(client: Any) -> None:
        big = {"text": "x" * 600_000}
        spec = client.cell_spec.create({"name": "big", "ratings": RATINGS, "properties": big})
        assert client.cell_spec.get(spec.id).properties == big

    await use(api.studio, script)
