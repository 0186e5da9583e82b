"""Every kind of measurement and of metadata, as the vendor's client finds it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive, series, specification, sums, write, write_json
from tests.jobs import Jobs, StartStudio, running, until
from tests.official import judge_of


def test_metadata_beside_the_data_arrives(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    specification(root / "LG M50", form_factor="21700", manufacturer="LG")
    cell = root / "LG M50" / "cell 1"
    write(cell / "cycling.csv", series())
    write(cell / "second.csv", series(seed=4))
    write_json(cell / "cell.json", {"batch": "LOT-7", "date_manufactured": "2024-01-20"})
    stated = {
        "protocol": {"name": "C/2 cycling", "ambient_temperature_degc": 25},
        "test_setup": {"cycler": "VMP3", "operator": "Jane"},
        "start_time": "2026-02-03T08:00:00Z",
        "notes": "second batch",
        "tags": ["sample", "cycling"],
    }
    write_json(cell / "cycling.meta.json", stated)
    jobs.use(studio)
    assert jobs.upload("archive").code == 0
    assert studio.requests.by_endpoint["batch.create"] == 1
    with judge_of(studio) as judge:
        (spec,) = judge.client.cell_spec.list()
        assert spec.form_factor == "21700"
        (lot,) = judge.client.cell_batch.list(spec.id)
        assert lot.name == "LOT-7"
        (instance,) = judge.client.cell_instance.list(spec.id)
        assert instance.batch_id == lot.id
        held = judge.by_key()["LG M50", "cell 1", "cycling"].record
        assert held.protocol == stated["protocol"]
        said = held.test_setup.pop("bulkload")
        assert said["source"] == "cycling.csv"
        assert held.test_setup == stated["test_setup"]
        assert held.notes == stated["notes"]
        assert set(held.tags) == {"sample", "cycling"}
        assert str(held.start_time).startswith("2026-02-03")


def test_properties_and_files_arrive(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    specification(root / "spec", name="spec")
    cell = root / "spec" / "cell"
    properties = {"mass": {"value": 69.4, "unit": "g"}, "colour": "grey"}
    write_json(cell / "dimensions.properties.json", properties)
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    (cell / "photo.png").write_bytes(picture)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.tif").write_bytes(b"II*\0first")
    (tmp_path / "scans" / "b # 100%.tif").write_bytes(b"II*\0second")
    with (tmp_path / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["spec", "cell", "measurement", "type", "path"])
        rows.writerow(["spec", "cell", "tear-down", "file", "scans"])
    jobs.use(studio)
    ended = jobs.upload("archive", "plan.csv", "--specs", str(root / "spec" / "spec.json"))
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 3}
    with judge_of(studio) as judge:
        held = judge.by_key()
        record = held["spec", "cell", "dimensions"].record
        assert record.measurement_type == "properties"
        assert record.properties == properties
        photo = held["spec", "cell", "photo"]
        assert photo.record.measurement_type == "file"
        assert bytes_of(judge.client, photo.id, "photo.png") == picture
        scans = held["spec", "cell", "tear-down"]
        assert bytes_of(judge.client, scans.id, "a.tif") == b"II*\0first"
        assert set(judge.client.cell_measurement.list_files(scans.id)) == {"a.tif", "b # 100%.tif"}


@pytest.mark.parametrize("what", ["changed", "gone"])
def test_a_file_that_changes_on_its_way_is_no_success(
    what: str, start_studio: StartStudio, tmp_path: Path
) -> None:
    """Files go from where they lie: what was hashed must be what was sent."""
    root = tmp_path / "archive"
    specification(root / "spec")
    cell = root / "spec" / "cell"
    cell.mkdir()
    photo = cell / "photo.png"
    photo.write_bytes(b"\x89PNG as it was")
    studio = start_studio()
    late = FaultRule(kind=FaultKind.LATENCY, endpoint="measurement.initiate", seconds=1.0)
    active = studio.faults.add(late)
    words = ["upload", "archive", "--job", "job"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: active.struck == 1, "it is about to be sent")
        if what == "gone":
            photo.unlink()
        else:
            photo.write_bytes(b"\x89PNG as it is")
        ended = run.wait()
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"failed": 1}
    row = ended.rows["photo"]
    assert row.cause == "source_changing"
    assert "photo.png" in row.message
    photo.write_bytes(b"\x89PNG as it is")
    studio.faults.clear()
    with running(words, folder=tmp_path, studio=studio) as run:
        assert run.wait().counts == {"created": 1}
    with judge_of(studio) as judge:
        held = judge.by_key()["spec", "cell", "photo"]
        assert bytes_of(judge.client, held.id, "photo.png") == b"\x89PNG as it is"


@pytest.mark.parametrize(
    ("what", "said"), [("gone", "run 0.csv"), ("changed", "changed after its measurement")]
)
def test_an_original_that_is_another_when_it_is_to_be_attached_costs_itself(
    what: str, said: str, start_studio: StartStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    original = tmp_path / "archive" / "spec 0" / "cell 0" / "run 0.csv"
    studio = start_studio()
    late = FaultRule(kind=FaultKind.LATENCY, endpoint="measurement.confirm", seconds=1.0)
    active = studio.faults.add(late)
    words = ["upload", "archive", "--attach-raw", "--job", "job"]
    with running(words, folder=tmp_path, studio=studio) as run:
        until(lambda: active.struck == 1, "it is about to be confirmed")
        if what == "gone":
            original.unlink()
        else:
            original.write_text("another content", "utf-8")
        ended = run.wait()
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"failed": 1}
    assert said in ended.rows["run 0"].message
    assert studio.requests.by_endpoint["raw.initiate"] == 0


@pytest.mark.parametrize("kind", ["properties", "file", "time_series"])
def test_every_kind_takes_the_metadata_of_a_manifest(
    kind: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    specs = specification(tmp_path / "specs", name="spec")
    write_json(tmp_path / "properties", {"mass": {"value": 69.4, "unit": "g"}})
    (tmp_path / "file").write_bytes(b"anything")
    write(tmp_path / "time_series.csv", series())
    path = tmp_path / ("time_series.csv" if kind == "time_series" else kind)
    columns = {
        "spec": "spec",
        "cell": "cell",
        "batch": "LOT-7",
        "measurement": "m",
        "type": kind,
        "path": str(path.rename(path.with_suffix(".json" if kind == "properties" else ".csv"))),
        "start_time": "2026-02-03T08:00:00Z",
        "end_time": "2026-02-03T08:10:00Z",
        "protocol": "C/2",
        "ambient_temperature_degc": "25",
        "cycler": "VMP3",
        "channel": "3",
        "operator": "Jane",
        "tags": "a;b",
        "notes": "a note",
    }
    with (tmp_path / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(columns))
        rows.writeheader()
        rows.writerow(columns)
    jobs.use(studio)
    ended = jobs.upload("plan.csv", "--specs", specs)
    assert ended.code == 0, ended.out + ended.err
    with judge_of(studio) as judge:
        record = judge.by_key()["spec", "cell", "m"].record
        assert record.notes == "a note"
        assert record.protocol == {"name": "C/2", "ambient_temperature_degc": 25}
        assert record.test_setup["operator"] == "Jane"
        assert set(record.tags) == {"a", "b"}
        assert str(record.start_time).startswith("2026-02-03")


def bytes_of(client: Any, measurement_id: str, name: str) -> bytes:
    found: bytes = client.cell_measurement.get_file(measurement_id, name)
    return found


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet", "jsonl"])
def test_a_plan_written_in_each_form_uploads_as_the_folder_would(
    form: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=2, measurements=2)
    meta = {"notes": "from a plan", "tags": ["a", "b"], "voltage_window": [2.5, 4.3]}
    write_json(tmp_path / "archive/spec 0/cell 0/run 0.meta.json", meta)
    for cell in (tmp_path / "archive").glob("spec */cell *"):
        write_json(cell / "cell.json", {"batch": "LOT-7"})
    plan = f"plan.{form}"
    planned = jobs.command("plan", "archive", "--out", plan)
    assert planned.code == 0, planned.err
    assert "8 measurements of 4 cells in 2 specifications" in planned.out
    assert studio.requests.total == 0
    jobs.use(studio)
    ended = jobs.upload(plan)
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": len(made)}
    with judge_of(studio) as judge:
        held = judge.by_key()
        assert set(held) == set(made)
        first = held["spec 0", "cell 0", "run 0"]
        assert first.record.notes == "from a plan"
        assert set(first.record.tags) == {"a", "b"}
        for key, table in made.items():
            assert sums(judge.time_series(held[key].id)) == sums(table)
        for spec in judge.client.cell_spec.list():
            assert [lot.name for lot in judge.client.cell_batch.list(spec.id)] == ["LOT-7"]


def test_numbers_that_look_whole_at_first_arrive_as_they_are(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """Column types are declared: thousands of whole numbers do not make what follows whole."""
    rows = 30_000
    table = series(rows=rows, steps=4)
    lines = ["Time [s],Voltage [V],Current [A],Step count,Remark"]
    values = zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)
    for at, (time, voltage, current, step) in enumerate(values):
        late = at > rows - 10
        lines.append(
            f"{int(time)},{voltage},{current},{step},{'0.5' if late else '1'}"
            if late or at % 2
            else f"{int(time)},{voltage},{current},{step},1"
        )
    root = tmp_path / "archive"
    specification(root / "spec")
    (root / "spec" / "cell").mkdir()
    (root / "spec" / "cell" / "run.csv").write_text("\n".join(lines) + "\n", "utf-8")
    jobs.use(studio)
    ended = jobs.upload("archive", "--no-strict")
    assert ended.code == 0, ended.out
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        read = judge.time_series(held.id)
    found = sums(read)
    assert found.pop("Remark") == rows - 9 + 9 * 0.5
    assert found == sums(table)


def test_the_summary_counts_what_was_read_and_sent(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=2, measurements=3)
    files = [path for path in (tmp_path / "archive").rglob("run *") if path.is_file()]
    jobs.use(studio)
    ended = jobs.upload("archive", "--summary", "copy.json", "--log-json", "own.jsonl")
    summary = ended.summary
    assert list(summary) == [
        *("job", "planned", "counts", "causes", "accepted", "rows", "bytes_read", "bytes_sent"),
        "requests",
        *("retries", "elapsed_s", "bottleneck", "exit_code", "this_run"),
    ]
    assert list(summary["counts"]) == ["created", "existing", "rejected", "failed", "skipped"]
    assert summary["planned"] == len(made) == sum(summary["counts"].values())
    assert summary["rows"] == sum(table.num_rows for table in made.values())
    assert summary["bytes_read"] == sum(path.stat().st_size for path in files)
    assert summary["bytes_sent"] >= studio.requests.bytes_stored > 0
    assert summary["requests"] == studio.requests.total
    assert summary["retries"] == 0
    assert json.loads((tmp_path / "copy.json").read_text("utf-8")) == summary
    assert not (tmp_path / "job" / "log.jsonl").exists()
    lines = (tmp_path / "own.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert all({"event", "level", "timestamp", "run"} <= set(event) for event in events)
    assert [event["event"] for event in events].count("ProcessingReady") == len(made)
