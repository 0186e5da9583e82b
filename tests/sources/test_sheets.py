"""Sheets of cells and tests, and manifests, as they lie in files that people saved."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from bulkload.core.issues import Severity
from bulkload.core.path_layout import Layout
from bulkload.core.plan_items import CellMetadata, PlanItem, Problem, Specification, UploadJob
from bulkload.core.survey.dates import DateOrder
from bulkload.errors import PlanError, SettingsError
from bulkload.sources.read_source import read_source
from bulkload.sources.sheets.stated import SheetOptions, parse_map

LAYOUT = Layout.parse("{cell}_{measurement}.*")
ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="Cells">{rows}</table:table>
</office:spreadsheet></office:body></office:document-content>"""


def planned(source: Path, **options: object) -> list[PlanItem]:
    sheets = SheetOptions(**options)  # type: ignore[arg-type]
    return list(read_source(source, layout=LAYOUT, sheets=sheets))


def errors(items: list[PlanItem]) -> list[str]:
    return [
        item.message
        for item in items
        if isinstance(item, Problem) and item.severity is Severity.ERROR
    ]


def warnings(items: list[PlanItem]) -> list[str]:
    return [
        item.message
        for item in items
        if isinstance(item, Problem) and item.severity is Severity.WARNING
    ]


def jobs(items: list[PlanItem]) -> list[UploadJob]:
    return [item for item in items if isinstance(item, UploadJob)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "k1_RPT.csv").write_text("x")
    return folder


def overview(path: Path, *, formula: bool = False) -> Path:
    """Write a workbook with a title, a band of merged cells, a blank row and a hidden sheet."""
    with xlsxwriter.Workbook(str(path)) as book:
        old = book.add_worksheet("old")
        old.write_row(0, 0, ["Zelle", "Typ"])
        old.hide()
        sheet = book.add_worksheet("Zellen")
        sheet.activate()
        sheet.set_first_sheet()
        plain = book.add_format()
        sheet.merge_range(0, 0, 0, 4, "Our cells, March", plain)
        sheet.merge_range(2, 2, 2, 3, "gemessen", plain)
        sheet.write_row(3, 0, ["Zellname", "Typ", "Kapazität [mAh]", "Masse [g]", "gebaut am"])
        sheet.merge_range(4, 1, 5, 1, "NMC", plain)
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        for row, (name, capacity) in enumerate([("K-01", 1998), ("K-02", "2001,5")], start=4):
            sheet.write(row, 0, name)
            sheet.write(row, 2, capacity)
            sheet.write_datetime(row, 4, dt.datetime(2021, 3, 4 + row), day)  # noqa: DTZ001
        sheet.write(4, 3, "ca. 45")
        if formula:
            sheet.write_formula(5, 3, "=D5*2", value="")
        else:
            sheet.write(5, 3, 46)
        book.add_worksheet("notes").write(0, 0, "nothing here")
    return path


def test_a_workbook_as_a_lab_keeps_it(data: Path, tmp_path: Path) -> None:
    items = planned(data, cells=overview(tmp_path / "cells.xlsx"))
    assert errors(items) == []
    (job,) = jobs(items)
    assert job.key == ("NMC", "K-01", "RPT")
    (cell,) = [item for item in items if isinstance(item, CellMetadata)]
    assert cell.payload == {
        "date_manufactured": "2021-03-08",
        "measured_properties": {
            "cell": {
                "capacity": {"value": 1998.0, "unit": "mA.h"},
                "mass": {"value": 45.0, "unit": "g"},
            }
        },
    }
    told = "\n".join(warnings(items))
    assert "the sheet 'old' is hidden and is not read" in told
    assert "'ca. 45' is taken as 45 g" in told
    assert "the sheet 'notes' is not read" in told


def test_a_formula_without_a_value_is_named(data: Path, tmp_path: Path) -> None:
    items = planned(data, cells=overview(tmp_path / "cells.xlsx", formula=True))
    (message,) = errors(items)
    assert "row 6, column 'Masse [g]' holds a formula without a value" in message


def test_an_open_document_sheet(data: Path, tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        inner = "".join(
            '<table:table-cell office:value-type="string">'
            f"<text:p>{cell}</text:p></table:table-cell>"
            for cell in cells
        )
        return f"<table:table-row>{inner}</table:table-row>"

    rows = row("Cell ID", "Cell type", "Rated capacity") + row("k1", "X", "2 Ah")
    path = tmp_path / "cells.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", ODS.format(rows=rows))
    items = planned(data, cells=path)
    assert errors(items) == []
    (spec,) = [item for item in items if isinstance(item, Specification)]
    assert spec.payload == {
        "name": "X",
        "ratings": {"capacity": {"value": 2.0, "unit": "A.h"}},
    }


@pytest.mark.parametrize(
    "content",
    [
        "Zelle;Typ;Höhe\nk1;X;1\n".encode("cp1252"),
        b"sep=;\r\nZelle;Typ\r\nk1;X\r\n",
        "\ufeffZelle\tTyp\nk1\tX\n".encode("utf-16"),
        "电池编号,型号,备注\nk1,X,很好的电池\n".encode("gbk"),
    ],
)
def test_text_tables_of_spreadsheet_programs(data: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cells.csv").write_bytes(content)
    items = planned(data, cells=tmp_path / "cells.csv")
    assert errors(items) == []
    assert jobs(items)[0].key == ("X", "k1", "RPT")


def test_a_person_maps_columns_with_their_unit(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("Ident;Sorte;Q;Foo\nk1;X;2000;?\n")
    stated = "Ident=cell, Sorte=spec, Q=spec.ratings.capacity [mAh], Foo=-"
    items = planned(data, cells=tmp_path / "cells.csv", columns=parse_map(stated))
    assert errors(items) == []
    assert warnings(items) == [
        f"specification 'X' has no rating for voltage_min, voltage_max: {rest}"
        for rest in [warnings(items)[0].partition(": ")[2]]
    ]
    (spec,) = [item for item in items if isinstance(item, Specification)]
    assert spec.payload["ratings"] == {"capacity": {"value": 2000.0, "unit": "mA.h"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zelle", "is not a mapping"),
        ("Zelle=cel", "'cel' is not a field"),
        ("Q=capacity [furlong]", "the unit [furlong] is not known"),
    ],
)
def test_mappings_with_a_mistake(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words.replace("[", r"\[").replace("]", r"\]")):
        parse_map(text)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cells.csv", b"a,b\n1,2\n", "no row of its first ones names columns"),
        ("cells.xlsx", b"no workbook", "not a workbook that can be read"),
        ("cells.pdf", b"%PDF", "a sheet is read from"),
    ],
)
def test_sheets_that_cannot_be_used(
    data: Path, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PlanError, match=words):
        planned(data, cells=tmp_path / name)


def test_the_sheet_names_the_specification_that_a_folder_does_not_know(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "K_01_RPT 2.csv").write_text("x")
    (tmp_path / "cells.csv").write_text("Zelle;Typ;Charge\nK-01;X;L1\n")
    layout = Layout.parse("{cell}_RPT {measurement}.*")
    sheets = SheetOptions(cells=tmp_path / "cells.csv")
    items = list(read_source(folder, layout=layout, sheets=sheets))
    (job,) = jobs(items)
    assert (job.key, job.batch) == (("X", "K-01", "2"), "L1")


def manifest(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "m.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "spec.json").write_text('{"name": "S"}')
    return path


def test_a_manifest_with_the_columns_of_a_person(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "Spec ; Zelle;Messung;Datei;Temperatur;Startdatum;Nennkap.\n"
        "S; k1 ;RPT;a.csv;25,5 °C;17.04.2023;2000 mAh\n".encode("cp1252"),
    )
    items = planned(path)
    assert errors(items) == []
    (job,) = jobs(items)
    assert job.metadata == {
        "protocol": {"ambient_temperature_degc": 25.5},
        "start_time": "2023-04-17",
    }
    assert job.checks.rated_capacity == 2.0
    assert "the column 'Zelle' is taken as cell; change it with --map" in warnings(items)


def test_a_date_in_a_manifest_is_read_in_the_declared_order(tmp_path: Path) -> None:
    path = manifest(tmp_path, "spec,cell,measurement,path,start_time\nS,k1,RPT,a.csv,03.04.2023\n")
    assert "can be 2023-03-04 or 2023-04-03" in errors(planned(path))[0]
    (job,) = jobs(planned(path, order=DateOrder.DMY))
    assert job.metadata == {"start_time": "2023-04-03"}


def test_a_column_of_a_manifest_is_left_out_on_request(tmp_path: Path) -> None:
    path = manifest(tmp_path, "spec,cell,measurement,path,Foo\nS,k1,RPT,a.csv,x\n")
    assert "the column 'Foo' is not known" in errors(planned(path))[0]
    assert errors(planned(path, columns=parse_map("Foo=-"))) == []
