"""Archives as sources: every form, nested, with metadata, patterns, commands, and a resume."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archived.packing import FORMS, SPEC, good, put, tarred, zipped
from tests.archived.packing import csv as table
from tests.jobs import Jobs


def account(job: Path) -> dict[str, dict[str, str]]:
    """Return the account by the end of the path."""
    with (job / "account.csv").open(encoding="utf-8-sig", newline="") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file)}


# The others are read member by member in test_hostile.
@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".7z"])
def test_every_form_goes_in_member_by_member(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, ending: str
) -> None:
    put(tmp_path / f"year{ending}", FORMS[ending](good()))
    jobs.use(studio)
    ended = jobs.upload(f"year{ending}")
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 4}
    row = ended.rows["run 3"]
    assert row.path == f"{tmp_path}/year{ending}!/NMC/cell 1/run 3.csv"
    assert (row.cell, row.rows) == ("cell 1", 20)
    assert account(tmp_path / "job")["run 3.csv"]["outcome"] == "created"
    # The same command again finds everything as it was.
    asked = studio.requests.total
    assert jobs.upload(f"year{ending}").counts == {"created": 4}
    assert studio.requests.total == asked
    assert jobs.command("verify", "job", "--all").code == 0
    # No copy of a member is left behind.
    assert not [*(tmp_path / "job").rglob("*.source")]
    assert not [*(tmp_path / "job").rglob("bulkload-member-*")]


def test_archives_in_a_folder_and_in_archives_are_folders(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "lab"
    put(root / "NMC" / "spec.json", SPEC.encode())
    put(root / "NMC" / "loose" / "a.csv", table(1))
    # An archive counts as a folder of its name, and where no layout fits so, as none.
    put(root / "NMC" / "cell7.zip", zipped({"b.csv": table(2)}))
    inner = tarred({"cell9/c.csv": table(3)}, "w:gz")
    put(root / "NMC" / "2023.zip", zipped({"cell8/d.csv": table(4), "weeks.tgz": inner}))
    jobs.use(studio)
    ended = jobs.upload("lab")
    assert ended.code == 0, ended.out + ended.err
    rows = {row.measurement: (row.cell, row.path) for row in ended.rows.values()}
    assert rows == {
        "a": ("loose", f"{root}/NMC/loose/a.csv"),
        "b": ("cell7", f"{root}/NMC/cell7.zip!/b.csv"),
        "c": ("cell9", f"{root}/NMC/2023.zip!/weeks.tgz!/cell9/c.csv"),
        "d": ("cell8", f"{root}/NMC/2023.zip!/cell8/d.csv"),
    }


def test_metadata_pictures_and_properties_lie_in_archives_too(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    members = {
        **good(2),
        "NMC/cell 0/cell.json": b'{"name": "cell 0", "notes": "from the archive"}',
        "NMC/cell 0/run 0.meta.json": b'{"notes": "seen", "tags": ["rpt"]}',
        "NMC/cell 0/photo.png": b"\x89PNG\r\n\x1a\nnot much of one",
        "NMC/cell 0/facts.properties.json": b'{"thickness_um": 72}',
        "NMC/cell 0/.DS_Store": b"x",
        "__MACOSX/NMC/._run 0.csv": b"x",
        ".bulkloadignore": b"left/\n",
        "left/NMC/a.csv": b"x",
    }
    put(tmp_path / "year.zip", zipped(members))
    jobs.use(studio)
    ended = jobs.upload("year.zip", "--attach-raw", "--exclude", "**/run 1.csv")
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 3, "skipped": 5}
    causes = ended.summary["causes"]
    assert causes == {"hidden": 2, "system_file": 1, "ignore left/": 1, "exclude **/run 1.csv": 1}
    shown = jobs.command("show", "run 0", "--job", "job", "--studio")
    assert "seen" in shown.out
    assert jobs.command("verify", "job", "--all").code == 0


def test_a_plan_names_members_and_is_read_back(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    put(tmp_path / "year.zip", zipped(good()))
    assert jobs.command("plan", "year.zip", "--out", "plan.csv").code == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    assert f"{tmp_path}/year.zip!/NMC/cell 0/run 0.csv" in paths
    jobs.use(studio)
    specs = put(tmp_path / "specs.json", f'[{{"name": "NMC", {SPEC[1:]}]'.encode())
    ended = jobs.upload("plan.csv", "--specs", specs)
    assert ended.counts == {"created": 4}, ended.out + ended.err
    # A manifest that names what the archive does not hold says so.
    text = (tmp_path / "plan.csv").read_text("utf-8-sig").replace("run 0.csv", "gone.csv")
    (tmp_path / "plan.csv").write_text(text, "utf-8")
    ended = jobs.command("plan", "plan.csv", "--specs", specs)
    assert "'year.zip' does not hold it" in " ".join(ended.out.split())


def test_detect_show_check_and_read_take_a_member(jobs: Jobs, tmp_path: Path) -> None:
    put(tmp_path / "year.zip", zipped(good()))
    member = "year.zip!/NMC/cell 0/run 0.csv"
    assert "ionworks" in jobs.command("detect", member).out.lower()
    shown = jobs.command("show", member)
    assert shown.code == 0, shown.out + shown.err
    assert "fit to be uploaded" in shown.out
    checked = jobs.command("check", "year.zip")
    assert checked.code == 0, checked.out + checked.err
    assert "4 of 4 measurements are fit" in checked.out
    missing = jobs.command("show", "year.zip!/NMC/nothing.csv")
    assert missing.code == 2, missing.out + missing.err
    assert "nothing.csv: the archive does not hold it" in missing.err


def test_an_archive_that_has_grown_sends_what_is_new(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    put(tmp_path / "year.zip", zipped(good(4)))
    jobs.use(studio)
    assert jobs.upload("year.zip").counts == {"created": 4}
    asked = studio.requests.total
    put(tmp_path / "year.zip", zipped({**good(6), "NMC/cell 0/run 0.csv": table(99)}))
    ended = jobs.upload("year.zip")
    # The one whose content changed is not taken for what Studio has.
    assert ended.rows["run 0"].cause == "source_changed", ended.out
    assert ended.summary["this_run"]["new"] == 2
    assert studio.requests.total > asked


def test_several_tests_of_one_member_are_several_measurements(jobs: Jobs, tmp_path: Path) -> None:
    header, *rows = table(1).decode().splitlines()
    lines = [f"Test ID,{header.strip()}"]
    for test in ("A", "B"):
        lines += [f"{test},{row}" for row in rows]
    members = {"NMC/spec.json": SPEC.encode(), "NMC/cell 0/both.csv": "\n".join(lines).encode()}
    put(tmp_path / "year.zip", zipped(members))
    assert jobs.command("plan", "year.zip", "--out", "plan.csv").code == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["measurement"] for row in csv.DictReader(file)] == [
            "both Test ID A",
            "both Test ID B",
        ]
