"""Specifications from files: one, a list, by name, rows of a spreadsheet, a folder of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Problem, Skip, Specification
from bulkload.errors import PlanError
from bulkload.sources.specs import Stated, read_specifications
from tests.sources.conftest import MakeTree

RATINGS = {
    "capacity": {"value": 5.0, "unit": "A.h"},
    "voltage_min": {"value": 2.5, "unit": "V"},
    "voltage_max": {"value": 4.2, "unit": "V"},
}
SPEC = {"name": "LG M50", "form_factor": "21700", "ratings": RATINGS}


def read(path: Path) -> tuple[dict[str, Specification], list[Problem | Skip]]:
    found = Stated()
    return found, list(read_specifications(path, found))


def good(path: Path) -> dict[str, Any]:
    found, told = read(path)
    assert told == []
    return {name: specification.payload for name, specification in found.items()}


def test_one_a_list_and_by_name(tree: MakeTree) -> None:
    other = {"name": "A123", "manufacturer": "A123"}
    root = tree(
        {
            "one.json": SPEC,
            "list.json": [SPEC, other],
            "named.json": {"LG M50": {**SPEC}, "A123": {"manufacturer": "A123"}},
            "named.yaml": "A123:\n  manufacturer: A123\n",
            "named.toml": '["A123"]\nmanufacturer = "A123"\n',
        }
    )
    assert good(root / "one.json") == {"LG M50": SPEC}
    for name in ("list.json", "named.json"):
        assert good(root / name) == {"LG M50": SPEC, "A123": other}
    for name in ("named.yaml", "named.toml"):
        assert good(root / name) == {"A123": other}


def test_a_folder_of_files(tree: MakeTree) -> None:
    root = tree({"a.json": SPEC, "b.yaml": "name: A123\n", "same.json": SPEC, "read.me": ""})
    found, told = read(root)
    assert set(found) == {"LG M50", "A123"}
    assert told == [Skip(where=str(root / "read.me"), rule=Rule.NOT_A_SPECIFICATION_FILE)]


def test_one_name_with_two_contents_is_told(tree: MakeTree) -> None:
    root = tree({"a.json": SPEC, "b.json": {**SPEC, "form_factor": "18650"}})
    _, told = read(root)
    (problem,) = told
    assert isinstance(problem, Problem)
    assert problem.rule == Rule.SPECIFICATION_CONFLICT
    assert "a.json" in problem.message
    assert "b.json" in problem.message


HEADER = "name;form_factor;capacity [A.h];voltage_min [V];voltage_max [V]"


def test_rows_of_a_csv(tree: MakeTree) -> None:
    header = HEADER + ";cathode.material.name;cathode.properties.loading [mg/cm**2];source.doi"
    rows = ["LG M50;21700;5.0;2.5;4.2;NMC811;12.1;10/x", "A123;26650;2.5;;;;;"]
    found = good(tree({"s.csv": "\n".join([header, *rows])}) / "s.csv")
    assert found["LG M50"] == {
        **SPEC,
        "cathode": {
            "material": {"name": "NMC811"},
            "properties": {"loading": {"value": 12.1, "unit": "mg/cm**2"}},
        },
        "source": {"doi": "10/x"},
    }
    assert found["A123"] == {
        "name": "A123",
        "form_factor": "26650",
        "ratings": {"capacity": {"value": 2.5, "unit": "A.h"}},
    }


def test_rows_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.write_row(0, 0, [*HEADER.split(";"), "properties.layers"])
        page.write_row(1, 0, ["LG M50", 21700, 5, 2.5, 4.2, 12])
    assert good(path) == {"LG M50": {**SPEC, "properties": {"layers": 12}}}


@pytest.mark.parametrize(
    ("name", "content", "rule", "words"),
    [
        (
            "s.json",
            {"name": "x", "capcity": 5},
            Rule.UNKNOWN_KEY,
            "line 1: key 'capcity' is not known",
        ),
        (
            "s.json",
            {"name": "x", "ratings": {"capacty": {}}},
            Rule.UNKNOWN_KEY,
            "'ratings.capacty' is not known; did you",
        ),
        (
            "s.json",
            {"name": "x", "ratings": {"capacity": 5}},
            Rule.BAD_VALUE,
            "must be a quantity, such as",
        ),
        (
            "s.json",
            {"name": "x", "ratings": {"capacity": {"value": "5", "unit": "A.h"}}},
            Rule.BAD_VALUE,
            "must be a number, not text",
        ),
        ("s.json", {"name": "x", "anode": {"material": {}}}, Rule.BAD_VALUE, "is empty"),
        (
            "s.json",
            {"name": "x", "anode": {"material": {"product": 1}}},
            Rule.BAD_VALUE,
            "has a material without a name",
        ),
        (
            "s.json",
            {"name": "x", "anode": {"props": {}}},
            Rule.BAD_VALUE,
            "and 'material', not 'props'",
        ),
        ("s.json", {"form_factor": "21700"}, Rule.BAD_VALUE, "has no name"),
        ("s.json", {"name": "x", "project_id": "p"}, Rule.UNKNOWN_KEY, "'project_id' is not known"),
        ("s.json", [1], Rule.BAD_VALUE, "must be an object"),
        ("s.json", {}, Rule.BAD_VALUE, "has no name"),
        ("s.json", '{"name": "x",\n"notes": ""}', Rule.BAD_VALUE, "line 2: key 'notes' is empty"),
        ("s.json", "{", Rule.UNREADABLE_METADATA, "line 1: not valid JSON"),
        (
            "s.csv",
            "name,capacity\nx,5",
            Rule.UNKNOWN_COLUMN,
            "'capacity' needs its unit, as in 'capacity [A.h]'",
        ),
        ("s.csv", "name,capcity [A.h]\nx,5", Rule.UNKNOWN_COLUMN, "did you mean 'capacity'?"),
        ("s.csv", "form_factor\nx", Rule.MISSING_COLUMN, "the column 'name' is missing"),
        (
            "s.csv",
            "name,anode.properties.x [g],anode.properties\na,1,2",
            Rule.DUPLICATE_COLUMN,
            "repeats what another column states",
        ),
        (
            "s.csv",
            "name,anode,anode.properties.x [g]\na,1,2",
            Rule.DUPLICATE_COLUMN,
            "repeats what another column states",
        ),
        (
            "s.csv",
            'name,capacity [A.h]\nx,"5,000"',
            Rule.BAD_VALUE,
            "row 2, column 'capacity [A.h]' must be",
        ),
        ("s.csv", "name,notes\nx", Rule.BAD_ROW, "row 2 has 1 of 2 cells"),
        ("s.csv", "", Rule.UNREADABLE_METADATA, "has no header row"),
        ("s.csv", "name,form_factor\n,x", Rule.BAD_VALUE, "row 2' has no name"),
    ],
)
def test_faults(tree: MakeTree, name: str, content: object, rule: Rule, words: str) -> None:
    path = tree({name: content}) / name
    found, (problem, *more) = read(path)
    assert (found, more) == ({}, [])
    assert isinstance(problem, Problem)
    assert problem.rule == rule
    assert words in problem.message
    assert problem.where == str(path)


def test_another_file_is_refused(tree: MakeTree) -> None:
    root = tree({"s.txt": ""})
    with pytest.raises(PlanError, match=r"must be a folder or a file of one of \.json"):
        read(root / "s.txt")
    with pytest.raises(PlanError, match=r"gone\.json: there is no such file or folder"):
        read(root / "gone.json")
