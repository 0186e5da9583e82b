"""``bulkload compare``: file by file what Studio has of a source, whoever brought it there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import archive, series, specification, write, write_json
from tests.jobs import Jobs
from tests.official import judge_of

CELL = Path("archive/spec 0/cell 0")


def marks(text: str) -> dict[str, str]:
    """Return what each line says: the names, and the mark before them."""
    lines = [line for line in text.splitlines() if line[:2] in ("= ", "* ", "+ ", "- ", "! ")]
    return {line[2:].partition(":")[0]: line[0] for line in lines}


def test_each_file_has_its_mark(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", cells=2, measurements=3)
    write_json(tmp_path / CELL / "mass.properties.json", {"mass": 1.0})
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    equal = jobs.command("compare", "archive")
    assert equal.code == 0, equal.out + equal.err
    assert set(marks(equal.out).values()) == {"="}
    assert equal.out.splitlines()[-1] == "7 equal"
    # Differing, new, gone, unreadable, misfit; and a cell of which nothing is left here.
    write(tmp_path / CELL / "run 0.csv", series(rows=61, seed=0))
    write(tmp_path / CELL / "run 3.csv", series(seed=9))
    (tmp_path / CELL / "run 1.csv").unlink()
    (tmp_path / CELL / "run 2.parquet").write_bytes(b"nothing")
    (tmp_path / "archive" / "misfit.csv").write_text("x")
    for path in (tmp_path / "archive/spec 0/cell 1").iterdir():
        path.unlink()
    ended = jobs.command("compare", "archive", "--out", "compared.csv")
    assert ended.code == 3
    found = marks(ended.out)
    assert found == {
        "spec 0 / cell 0 / run 0": "*",
        "spec 0 / cell 0 / run 1": "-",
        "spec 0 / cell 0 / run 2": "!",
        "spec 0 / cell 0 / run 3": "+",
        "spec 0 / cell 1 / run 0": "-",
        "spec 0 / cell 1 / run 1": "-",
        "spec 0 / cell 1 / run 2": "-",
        str(tmp_path / "archive" / "misfit.csv"): "!",
    }
    assert "1 equal, 1 differing, 1 missing in Studio, 4 missing in the source, 2 not compared" in (
        ended.out
    )
    with (tmp_path / "compared.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["measurement"]: row for row in csv.DictReader(file) if row["cell"] == "cell 0"}
    assert {name: row["mark"] for name, row in rows.items()} == {
        "mass": "=", "run 0": "*", "run 1": "-", "run 2": "!", "run 3": "+",
    }  # fmt: skip
    assert rows["mass"]["compared_by"] == "hash"
    assert "SHA-256" in rows["run 0"]["message"]
    assert rows["run 1"]["measurement_id"]
    assert rows["run 3"]["path"].endswith("run 3.csv")


def test_what_says_nothing_of_its_source_is_read_back(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    jobs.use(studio)
    assert jobs.upload("archive", "--no-provenance", job="first").code == 0
    ended = jobs.command("compare", "archive", "--out", "compared.csv")
    assert ended.code == 0, ended.out
    assert (tmp_path / "compared.csv").read_text("utf-8-sig").count(",content,") == 2
    # One value of one row.
    text = (tmp_path / CELL / "run 0.csv").read_text("utf-8").splitlines()
    text[5] = text[5].replace("3.7", "3.6", 1)
    (tmp_path / CELL / "run 0.csv").write_text("\n".join(text) + "\n")
    ended = jobs.command("compare", "archive")
    assert ended.code == 3
    assert marks(ended.out)["spec 0 / cell 0 / run 0"] == "*"
    assert "different values in the same rows and columns" in ended.out


def test_the_same_data_in_another_file_are_equal(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    path = tmp_path / CELL / "run 0.csv"
    path.write_text(path.read_text("utf-8").replace(",", "\t"), "utf-8")
    ended = jobs.command("compare", "archive")
    assert ended.code == 0, ended.out
    assert "the same content, from a file of other bytes" in ended.out
    assert jobs.command("compare", "archive", "--read-all").code == 0


def test_a_hash_is_not_taken_where_everything_is_to_be_read(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    with judge_of(studio) as judge:
        (held,) = judge.measurements()
        record = held.record
        # Somebody puts other data under the name, with the old words about their source.
        judge.client.cell_measurement.delete(record.id)
        judge.client.cell_measurement.create(
            record.cell_instance_id,
            {
                "measurement": {"name": record.name, "test_setup": record.test_setup},
                "time_series": series(seed=7).to_pandas(),
            },
        )
    assert jobs.command("compare", "archive").code == 0
    ended = jobs.command("compare", "archive", "--read-all")
    assert ended.code == 3
    assert marks(ended.out) == {"spec 0 / cell 0 / run 0": "*"}


@pytest.mark.parametrize("has_spec", [True, False])
def test_zero_compared_is_never_equal(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, *, has_spec: bool
) -> None:
    specification(tmp_path / "archive" / "LG")
    write(tmp_path / "archive" / "LG" / "c" / "m.csv", series())
    jobs.use(studio)
    if has_spec:
        write(tmp_path / "archive" / "LG" / "other" / "m.csv", series())
        assert jobs.upload("archive", "--include", "other/", job="first").code in (0, 2, 3)
    ended = jobs.command("compare", "archive", "--include", "c/")
    assert ended.code in (2, 3)
    assert "equal" not in ended.out


def test_one_listing_a_cell_and_one_a_specification(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", cells=3, measurements=4)
    jobs.use(studio)
    assert jobs.upload("archive", job="first").code == 0
    before = studio.requests.total
    assert jobs.command("compare", "archive").code == 0
    # The specification by its name, its cells, and each cell's measurements.
    assert studio.requests.total - before == 2 + 3
