"""What a survey sees of files, what it proposes, and the plans that it writes."""

from __future__ import annotations

import csv
import io
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter

from bulkload.core.survey.cells import KnownCells
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.dates import DateOrder
from bulkload.core.survey.layouts import ProposedLayout
from bulkload.core.survey.proposal import FileFacts, Proposal, Sureness
from bulkload.core.survey.propose import Knowledge, propose
from bulkload.core.survey.ways import Ways, runnable_ways
from bulkload.localstudio import LocalStudio
from bulkload.surveying.surveyor import survey_sources
from tests.archives import series, specification, write
from tests.jobs import Jobs


def table(rows: int = 8) -> str:
    return "Time [s],Voltage [V],Current [A],Step count\n" + "".join(
        f"{at}.0,3.{at:03d},0.5,0\n" for at in range(rows)
    )


def workbook(path: Path) -> bytes:
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet().write_row(0, 0, ["when", "who"])
    return path.read_bytes()


def packed(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_dot_", "."), text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", table().encode(), ContentKind.DATA),
        ("utf16.csv", table().encode("utf-16"), ContentKind.DATA),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(20), ContentKind.PICTURE),
        ("really a photo.csv", b"\xff\xd8\xff\xe0" + bytes(20), ContentKind.PICTURE),
        ("a.pdf", b"%PDF-1.4\n", ContentKind.DOCUMENT),
        ("page.txt", b"<html><body>404</body></html>", ContentKind.DOCUMENT),
        ("notes.txt", b"Remember the cell at the window.\n", ContentKind.DOCUMENT),
        ("plot.py", b"print(1)\n", ContentKind.PROGRAM),
        ("a.exe", b"MZ\x90\0" + bytes(60), ContentKind.PROGRAM),
        ("log.csv", b"when;what\n" + b"10:00;1;2\n" * 9, ContentKind.UNKNOWN_TABLE),
        ("empty.csv", b"", ContentKind.EMPTY),
        ("zeros.csv", bytes(5000), ContentKind.CUT_SHORT),
        ("cut.csv", table().encode()[:-12], ContentKind.CUT_SHORT),
        ("cut.xlsx", b"PK\x03\x04" + bytes(300), ContentKind.CUT_SHORT),
        ("cut.parquet", b"PAR1" + bytes(300), ContentKind.CUT_SHORT),
        ("cut.res", b"\x00\x01\x00\x00Standard Jet DB" + bytes(300), ContentKind.CUT_SHORT),
        ("cut.zip", packed(a="x" * 90)[:-30], ContentKind.CUT_SHORT),
        ("x.zip", packed(), ContentKind.ARCHIVE),
        ("~$a.xlsx", b"x", ContentKind.TEMPORARY),
        ("a.csv.part", b"x", ContentKind.TEMPORARY),
        ("Thumbs.db", b"x", ContentKind.SYSTEM),
        ("cell.json", b"{}", ContentKind.METADATA),
    ],
)
def test_kinds_by_content(tmp_path: Path, name: str, content: bytes, kind: ContentKind) -> None:
    (tmp_path / name).write_bytes(content)
    found = survey_sources([tmp_path], Knowledge(), workers=1)
    (only,) = [one for one in found.proposals if one.facts.path == name]
    assert only.facts.kind is kind
    assert (only.upload is False) == (kind is not ContentKind.DATA)


def test_a_workbook_without_a_test_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "list.xlsx").write_bytes(workbook(tmp_path / "w.xlsx"))
    found = survey_sources([tmp_path / "in"], Knowledge(), workers=1)
    (only,) = found.proposals
    assert only.facts.kind is ContentKind.UNKNOWN_TABLE
    assert only.warnings


def test_members_of_a_zip_are_rows_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "y.zip").write_bytes(packed(c1_RPT_dot_csv=table(), readme_dot_txt="hello"))
    found = survey_sources([tmp_path], Knowledge(cells=KnownCells(["c1"])), workers=1)
    by_path = {one.facts.path: one for one in found.proposals}
    assert set(by_path) == {"y.zip", "y.zip!/c1_RPT.csv", "y.zip!/readme.txt"}
    member = by_path["y.zip!/c1_RPT.csv"]
    assert (member.cell, member.measurement, member.rule) == ("c1", "RPT", "")
    assert member.upload is not False


def test_copies_are_compared_whole(tmp_path: Path) -> None:
    """Beginnings of 16 KiB that are equal do not make a copy; the whole content does."""
    long = table(2000)
    assert len(long) > 32 * 1024
    (tmp_path / "c1_a.csv").write_text(long)
    (tmp_path / "c1_a - Kopie.csv").write_text(long)
    (tmp_path / "c1_b.csv").write_text(long.replace("1999.0,", "1999.5,"))
    found = survey_sources([tmp_path], Knowledge(cells=KnownCells(["c1"])), workers=1)
    by_path = {one.facts.path: one for one in found.proposals}
    assert by_path["c1_a - Kopie.csv"].copy_of == "c1_a.csv"
    assert by_path["c1_a - Kopie.csv"].rule == "copy"
    assert by_path["c1_b.csv"].upload is True


def test_many_files_are_looked_at_in_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkload.surveying.surveyor.FILES_WORTH_WORKERS", 100)
    monkeypatch.setattr("bulkload.surveying.surveyor.CHUNK_FILES", 20)
    for number in range(160):
        (tmp_path / f"c{number % 7}_t{number}.csv").write_text(table(2 + number % 5))
    cells = KnownCells([f"c{number}" for number in range(7)])
    found = survey_sources([tmp_path], Knowledge(cells=cells), workers=2)
    assert len(found.proposals) == 160
    assert {one.facts.kind for one in found.proposals} == {ContentKind.DATA}


def facts(path: str, **others: Any) -> FileFacts:
    known: dict[str, Any] = {
        "size_bytes": 9,
        "modified_s": 0.0,
        "kind": ContentKind.DATA,
        "vendor": "Neware",
    }
    return FileFacts(path=path, **(known | others))


def one_of(*paths: str | FileFacts, cells: str = "A1 B2", **knowledge: Any) -> list[Proposal]:
    files = [facts(path) if isinstance(path, str) else path for path in paths]
    return list(propose(files, Knowledge(cells=KnownCells(cells.split()), **knowledge)).proposals)


Row = tuple[str, str, str, float | None]


@pytest.mark.parametrize(
    ("paths", "rows"),
    [
        (
            ["2021/03/15/A1_cyc.csv", "2021/03/16/A1_cyc.csv"],
            [("A1", "cyc 2021-03-15", "2021-03-15", None),
             ("A1", "cyc 2021-03-16", "2021-03-16", None)],
        ),
        (
            ["x/A1_5.3.21_RPT.csv", "x/A1_17.3.21_RPT.csv", "x/B2_1.4.21_RPT.csv"],
            [("A1", "RPT 2021-03-05", "2021-03-05", None),
             ("A1", "RPT 2021-03-17", "2021-03-17", None),
             ("B2", "RPT", "2021-04-01", None)],
        ),
        (
            ["x/A1_rate_10C_25C.csv", "x/A1_store_10C_1C.csv"],
            [("A1", "rate_10C", "", 25.0), ("A1", "store_1C", "", 10.0)],
        ),
        (["Zelle A1/RPT1/data.csv", "Zelle A1/RPT2/data.csv"],
         [("A1", "RPT1", "", None), ("A1", "RPT2", "", None)]),
        (["cold/A1-cap-20C-2021-01-02.csv"], [("A1", "cap", "2021-01-02", 20.0)]),
        (["cold/A1_cap_-20C.csv"], [("A1", "cap", "", -20.0)]),
    ],
)  # fmt: skip
def test_ways_of_naming(paths: list[str], rows: list[Row]) -> None:
    found = one_of(*paths, spec_of={"A1": "S", "B2": "S"})
    assert [
        (one.cell, one.measurement, one.start_time, one.temperature_degc) for one in found
    ] == rows
    assert all(one.sureness is Sureness.SURE for one in found)


@pytest.mark.parametrize(
    ("path", "warning"),
    [
        ("x/A1 and B2.csv", "its path names several cells: A1, B2"),
        ("A1/B2_RPT.csv", "its path names several cells: A1, B2"),
        ("x/someone.csv", "no name from the sheet of cells is in its path"),
        ("x/A1_03.04.2021.csv", "03.04.2021 can be 2021-03-04 or 2021-04-03"),
        ("x/A1_RPT_10C.csv", "10C can be a rate or a temperature"),
        ("x/A1_RPT-20C_x.csv", "the hyphen before 20C may be a minus"),
        ("x/A1_25C_45degC.csv", "its path states several temperatures: 25C, 45degC"),
    ],
)
def test_what_evidence_leaves_open_stays_empty_and_is_asked_for(path: str, warning: str) -> None:
    (found,) = one_of(path, spec_of={"A1": "S", "B2": "S"})
    assert found.sureness is Sureness.OPEN
    assert any(warning in one for one in found.warnings), found.warnings


def test_a_declared_order_settles_dates() -> None:
    (found,) = one_of("x/A1_03.04.2021.csv", spec_of={"A1": "S"}, order=DateOrder.MDY)
    assert found.start_time == "2021-03-04"


def test_one_content_under_two_cells_is_a_question() -> None:
    found = one_of(facts("x/A1_RPT.csv", digest="d"), facts("x/B2_RPT.csv", digest="d"))
    assert [one.upload for one in found] == [None, None]
    assert "under the cells A1 and B2" in found[0].warnings[-1]


def test_two_forms_of_one_test() -> None:
    found = one_of("a/A1_RPT.nda", "a/A1_RPT.csv", "raw/B2_E.mpr", "txt/B2_E.mpt")
    assert [one.rule for one in found] == ["other_form", "", "other_form", ""]
    assert found[0].other_form_of == "a/A1_RPT.csv"


def test_files_that_go_on_where_another_ends() -> None:
    found = one_of(
        "a/A1_life_part1.csv", "a/A1_life_part2.csv", "a/A1_cyc.csv", "a/A1_cyc_cont.csv",
        facts("b/B2_x.csv", records=(1, 100)), facts("b/B2_y.csv", records=(101, 180)),
        spec_of={"A1": "S", "B2": "S"},
    )  # fmt: skip
    assert [one.continues for one in found] == [
        "", "a/A1_life_part1.csv", "", "a/A1_cyc.csv", "", "b/B2_x.csv",
    ]  # fmt: skip
    assert found[-1].sureness is Sureness.LIKELY


def test_a_channel_that_the_sheet_states_for_one_cell_names_it_with_a_warning() -> None:
    (found,) = one_of("x/run_Ch7.csv", channels={"7": "A1"}, spec_of={"A1": "S"})
    assert (found.cell, found.sureness) == ("A1", Sureness.LIKELY)


def lab(folder: Path) -> Path:
    """Make a small lab: two good tests, a copy, a photo, a test without a cell."""
    root = folder / "lab"
    write(root / "RPT" / "k1_RPT_17.04.2023_25degC.csv", series(seed=1))
    write(root / "RPT" / "k2_RPT_03.04.2023_25degC.csv", series(seed=2))
    copy = (root / "RPT" / "k1_RPT_17.04.2023_25degC.csv").read_bytes()
    (root / "RPT" / "k1_RPT_17.04.2023_25degC - Kopie.csv").write_bytes(copy)
    (root / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(30))
    write(root / "for Anna.csv", series(seed=3))
    (folder / "cells.csv").write_text(
        "Zelle;Typ;Kap. nominal [Ah];U min;U max\nK-01;X;2,0;2,5 V;4,3 V\nK-02;X;2,0;2,5 V;4,3 V\n"
    )
    return root


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("form", [".csv", ".parquet"])
def test_a_plan_in_any_form_carries_its_specifications_and_cells(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, form: str
) -> None:
    lab(tmp_path)
    plan = tmp_path / f"plan{form}"
    ended = jobs.command("survey", "lab", "--cells", "cells.csv", "--out", plan)
    assert ended.code == 3, ended.out
    assert (tmp_path / "plan.cells.csv").exists()
    assert (tmp_path / "plan.specifications.csv").exists()
    rows = {row["path"]: row for row in rows_of(plan)}
    assert len(rows) == 5
    good = rows["lab/RPT/k2_RPT_03.04.2023_25degC.csv"]
    assert (good["cell"], good["start_time"], good["spec"]) == ("K-02", "2023-04-03", "X")
    assert "day, month, year: " in good["evidence"]
    assert rows["lab/photo.jpg"]["rule"] == "picture"
    refused = jobs.command("plan", plan)
    assert refused.code == 3
    assert "column 'cell' is empty" in refused.out
    assert "2 measurements of 2 cells in 1 specification" in refused.out


def test_the_layouts_are_written_as_toml_with_their_figures(jobs: Jobs, tmp_path: Path) -> None:
    lab(tmp_path)
    jobs.command("survey", "lab", "--cells", "cells.csv", "--toml", "bulkload.toml")
    text = (tmp_path / "bulkload.toml").read_text("utf-8")
    assert tomllib.loads(text) == {
        "cells": "cells.csv",
        "options": {"day_first": True},
        "source": [
            {
                "path": "lab",
                "layout": ["RPT/{cell}_{measurement}_{date}_{temperature}.*", "{measurement}.*"],
                "exclude": ["/RPT/k1_RPT_17.04.2023_25degC\\ -\\ Kopie.csv", "*.jpg"],
            }
        ],
    }
    assert "# 2 of 3 paths in RPT fit" in text
    assert "# Dates in names have the day first." in text


def test_a_written_toml_plans_what_the_survey_proposes(jobs: Jobs, tmp_path: Path) -> None:
    lab(tmp_path)
    jobs.command("survey", "lab", "--cells", "cells.csv", "--toml", "bulkload.toml")
    (tmp_path / "lab" / "for Anna.csv").unlink()
    ended = jobs.command("plan", "bulkload.toml", "--out", "plan.csv")
    assert ended.code == 0, ended.out + ended.err
    rows = rows_of(tmp_path / "plan.csv")
    assert [(row["spec"], row["cell"], row["measurement"], row["start_time"]) for row in rows] == [
        ("X", "K-01", "RPT", "2023-04-17"),
        ("X", "K-02", "RPT", "2023-04-03"),
    ]
    assert "2 entries left out by a rule" in ended.out


def test_a_layout_that_would_name_otherwise_is_written_as_a_comment() -> None:
    def file(path: str, cell: str, measurement: str, layout: str) -> Proposal:
        facts = FileFacts(path=path, size_bytes=1, modified_s=0.0, kind=ContentKind.DATA)
        return Proposal(facts=facts, cell=cell, measurement=measurement, layout=layout)

    good, greedy = "a/{cell}_{measurement}.*", "{cell}/{measurement}.*"
    proposals = [file("a/c1_x.csv", "c1", "x", good), file("b/y.csv", "elsewhere", "y", greedy)]
    layouts = [
        ProposedLayout(folder="", text=text, fitting=1, total=1, is_exact=True)
        for text in (greedy, good)
    ]
    ways = runnable_ways(layouts, proposals)
    assert [one.text for one in ways.active] == [good]
    assert [one.text for one in ways.others] == [greedy]
    assert ways.unread == 1


def test_a_layout_with_one_exception_is_run_and_the_exception_excluded() -> None:
    text = "a/{cell}_{measurement}.*"

    def file(name: str, cell: str, measurement: str, layout: str = text) -> Proposal:
        facts = FileFacts(path=f"a/{name}", size_bytes=1, modified_s=0.0, kind=ContentKind.DATA)
        return Proposal(facts=facts, cell=cell, measurement=measurement, layout=layout)

    def ways_of(*proposals: Proposal) -> Ways:
        layout = ProposedLayout(folder="a", text=text, fitting=3, total=4, is_exact=True)
        return runnable_ways([layout], proposals)

    habit = [file(f"c{at}_RPT.csv", f"c{at}", "RPT") for at in range(3)]
    exception = file("new_c3_RPT.csv", "c3", "RPT", "a/*{cell}_{measurement}.*")
    ways = ways_of(*habit, exception)
    assert [one.text for one in ways.active] == [text]
    assert ways.misread == {
        "a/new_c3_RPT.csv": "the layout would read measurement 'c3_RPT', proposed is 'RPT'"
    }
    assert not ways.unread
    # Two paths are no habit, and of dozens of exceptions nobody looks at each.
    many = [file(f"new_c{at}_RPT.csv", f"c{at}", "RPT") for at in range(3, 30)]
    for proposals in ([*habit[:2], exception], [*habit, *many]):
        ways = ways_of(*proposals)
        assert [one.text for one in ways.others] == [text]
        assert not ways.misread


def test_a_layout_begins_with_the_date_of_a_folder_and_reads_archives_as_the_plan_does(
    jobs: Jobs, tmp_path: Path
) -> None:
    lab(tmp_path)
    root = tmp_path / "lab"
    for cell in ("k1", "k2"):
        for day in ("2024-03-12_formacion", "2024-03-19_ciclado"):
            write(root / day / f"{cell}__{day[11:14]}1.csv", series(seed=len(day) + ord(cell[1])))
    with zipfile.ZipFile(root / "week.zip", "w") as packed:
        for cell in ("k1", "k2"):
            write(tmp_path / "life.csv", series(seed=ord(cell[1]) + 40))
            packed.write(tmp_path / "life.csv", f"{cell}__life__25degC.csv")
        packed.writestr("read me.txt", "hello")
    jobs.command("survey", "lab", "--cells", "cells.csv", "--toml", "bulkload.toml")
    written = (tmp_path / "bulkload.toml").read_text("utf-8")
    stated = tomllib.loads(written)["source"][0]
    assert "{date}_*/{cell}__{measurement}.*" in stated["layout"], written
    # An archive that is left out would take its tests along.
    assert not any(one.endswith("week.zip") for one in stated["exclude"])
    assert "files fit none" not in written
    rows = jobs.command("plan", "bulkload.toml", "--out", "plan.csv")
    assert rows.code in (0, 3), rows.out
    paths = {row["path"] for row in rows_of(tmp_path / "plan.csv")}
    assert any(path.endswith("lab/week.zip!/k1__life__25degC.csv") for path in paths), paths


def test_a_toml_leaves_out_by_name_what_its_layout_would_misread(
    jobs: Jobs, tmp_path: Path
) -> None:
    lab(tmp_path)
    for cell in range(3, 7):
        name = f"k{cell}_RPT_{10 + cell}.04.2023_25degC.csv"
        write(tmp_path / "lab" / "RPT" / name, series(rows=20 + cell))
    write(tmp_path / "lab" / "RPT" / "neu_k1_RPT_19.04.2023_25degC.csv", series(rows=40))
    cells = tmp_path / "cells.csv"
    text = cells.read_text("utf-8").rstrip("\n").splitlines()
    line = next(one for one in text if "K-01" in one)
    more = [line.replace("K-01", f"K-0{cell}") for cell in range(3, 7)]
    cells.write_text("\n".join([*text, *more]) + "\n", "utf-8")
    arguments = ("survey", "lab", "--cells", "cells.csv")
    jobs.command(*arguments, "--toml", "bulkload.toml", "--out", "plan.csv")
    written = (tmp_path / "bulkload.toml").read_text("utf-8")
    stated = tomllib.loads(written)["source"][0]
    assert "RPT/{cell}_{measurement}_{date}_{temperature}.*" in stated["layout"]
    assert "/RPT/neu_k1_RPT_19.04.2023_25degC.csv" in stated["exclude"], written
    assert "the layout would read" in written
    row = {one["path"]: one for one in rows_of(tmp_path / "plan.csv")}
    assert row["lab/RPT/neu_k1_RPT_19.04.2023_25degC.csv"]["cell"] == "K-01"


def test_a_row_that_nobody_has_decided_is_named(jobs: Jobs, tmp_path: Path) -> None:
    specification(tmp_path, name="s")
    write(tmp_path / "a.csv", series())
    (tmp_path / "plan.csv").write_text(
        "upload,rule,spec,cell,measurement,path\n,,s,c,m,a.csv\nno,copy,,,,b.csv\n"
        "perhaps,,s,c,n,a.csv\n"
    )
    ended = jobs.command("plan", "plan.csv")
    assert ended.code == 2
    assert "row 2: nobody has decided whether 'a.csv' is uploaded" in ended.out
    assert "row 4: column 'upload' holds 'perhaps'; write yes or no" in ended.out


def test_a_source_that_is_not_there_is_a_sentence(jobs: Jobs) -> None:
    ended = jobs.command("survey", "nowhere")
    assert ended.code == 2
    assert "there is no such file or folder" in ended.err


def test_an_order_that_only_another_folder_proves_is_warned_of() -> None:
    found = one_of(
        "lab/anna/A1_17.04.2021_x.csv", "lab/bob/A1_03.04.2021_x.csv", spec_of={"A1": "S"}
    )
    assert [one.start_time for one in found] == ["2021-04-17", "2021-04-03"]
    assert [one.sureness for one in found] == [Sureness.SURE, Sureness.LIKELY]
    assert "only names in other folders prove the order" in found[1].warnings[0]


def test_a_folder_that_lists_cells_does_not_speak_against_the_file() -> None:
    (found,) = one_of("A1 to B2/A1_RPT.csv", spec_of={"A1": "S"})
    assert (found.cell, found.sureness) == ("A1", Sureness.SURE)


def test_several_sources_are_told_apart_and_their_files_found(jobs: Jobs, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        write(tmp_path / name / "K-01" / f"RPT{seed}.csv", series(seed=seed))
        (tmp_path / name / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "cells.csv").write_text("Zelle;Typ\nK-01;X\n")
    ended = jobs.command("survey", "one", "two", "--cells", "cells.csv", "--out", "plan.csv")
    assert ended.code == 0, ended.out
    paths = {row["path"] for row in rows_of(tmp_path / "plan.csv")}
    assert paths == {"one/K-01/RPT1.csv", "one/Thumbs.db", "two/K-01/RPT2.csv", "two/Thumbs.db"}
    planned = jobs.command("plan", "plan.csv")
    assert "2 measurements of 1 cell in 1 specification; 2 entries left out" in planned.out
