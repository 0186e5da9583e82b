"""Nothing that was not compared is called equal, and zero compared is never a success."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.csv

from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, write, write_json
from tests.jobs import Jobs


def test_an_altered_file_behind_an_existing_name_is_found(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    altered = jobs.folder / "archive/spec 0/cell 0/run 0.csv"
    table = pa.csv.read_csv(altered)
    voltage = table["Voltage [V]"].to_numpy().copy()
    voltage[7] += 1e-6
    write(altered, table.set_column(1, "Voltage [V]", pa.array(voltage)))
    second = jobs.upload("archive", job="second")
    assert second.counts == {"existing": 2}
    ended = jobs.command("verify", "second", "--all")
    assert ended.code == 3
    assert "run 0" in ended.out
    assert "run 1 (" not in ended.out
    report = json.loads((jobs.folder / "second/verify.json").read_text("utf-8"))
    assert (report["total"], report["sample"], report["existing"]) == (2, 2, 0)
    assert len(report["differences"]) == 1


def test_existing_and_equal_is_proved(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=2)
    write_json(jobs.folder / "archive/spec 0/cell 0/mass.properties.json", {"mass": 1.0})
    jobs.use(studio)
    first = jobs.upload("archive", job="first")
    assert first.code == 0
    planned = first.summary["planned"]
    assert jobs.upload("archive", job="second").counts == {"existing": planned}
    ended = jobs.command("verify", "second", "--all")
    assert ended.code == 0, ended.out
    report = json.loads((jobs.folder / "second/verify.json").read_text("utf-8"))
    assert (report["total"], report["sample"]) == (planned, planned)


def test_a_source_that_is_gone_proves_nothing(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    assert jobs.upload("archive", job="second").counts == {"existing": 1}
    (jobs.folder / "archive/spec 0/cell 0/run 0.csv").unlink()
    ended = jobs.command("verify", "second", "--all")
    assert ended.code == 3
    assert "its source cannot be read, so nothing was compared" in ended.out


def test_nothing_to_compare_is_no_success(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    assert jobs.upload("archive", job="second").counts == {"existing": 1}
    ended = jobs.command("verify", "second")
    assert ended.code == 2
    assert "created nothing that could be compared; 1 existed before it: give --all" in ended.err


def test_a_later_row_is_compared_too(jobs: Jobs, studio: LocalStudio) -> None:
    archive(jobs.folder / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    write(jobs.folder / "archive/spec 0/cell 0/run 0.csv", series(rows=61))
    assert jobs.upload("archive", job="second").counts == {"existing": 1}
    assert jobs.command("verify", "second", "--all").code == 3


def test_existing_verify_compares_properties_and_files(jobs: Jobs, studio: LocalStudio) -> None:
    cell = jobs.folder / "archive/spec 0/cell 0"
    archive(jobs.folder / "archive", measurements=1)
    write_json(cell / "mass.properties.json", {"mass": 1.0})
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    equal = jobs.upload("archive", "--existing", "verify", job="second")
    assert equal.counts == {"existing": equal.summary["planned"]}
    write_json(cell / "mass.properties.json", {"mass": 2.0})
    differs = jobs.upload("archive", "--existing", "verify", job="third")
    assert differs.code == 3
    assert differs.summary["causes"] == {"existing_differs": 1}
