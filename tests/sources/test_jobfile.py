"""``bulkload.toml`` as a source: what it states, and everything that is wrong with it at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkload.core.layouts import Layouts, NamedPattern
from bulkload.core.path_layout import DEFAULT_LAYOUT, Layout, LayoutError
from bulkload.core.plan_items import PlanItem, Problem, Skip, Specification, UploadJob
from bulkload.errors import JobFileError
from bulkload.sources.jobfile.document import is_job_file, read_job_file
from bulkload.sources.jobfile.lines import key_lines, line_of
from bulkload.sources.read_source import read_source
from tests.archives import RATINGS
from tests.sources.conftest import MakeTree

SPEC = {"ratings": RATINGS}
CAPACITY = '[specification.ratings]\ncapacity = { value = 2.0, unit = "A.h" }\n'


def planned(path: Path) -> list[PlanItem]:
    return list(read_source(path, layout=Layout.parse(DEFAULT_LAYOUT)))


def jobs(items: list[PlanItem]) -> dict[str, UploadJob]:
    return {item.key.measurement: item for item in items if isinstance(item, UploadJob)}


def write(folder: Path, text: str) -> Path:
    path = folder / "bulkload.toml"
    path.write_text(text, "utf-8")
    return path


def test_each_source_has_its_ways_of_naming(tree: MakeTree, tmp_path: Path) -> None:
    root = tree(
        {
            "old/spec.json": {**SPEC, "name": "LG"},
            "old/c1_RPT_25C.csv": "",
            "old/c2 life.csv": "",
            "new/LG2/spec.json": SPEC,
            "new/LG2/k/m.csv": "",
        }
    )
    text = (
        '[[source]]\npath = "archive/old"\nlayout = ["{cell}_{measurement}_{temperature}.*"]\n'
        "pattern = '(?P<cell>c\\d) (?P<measurement>\\w+)\\.csv'\n\n"
        '[[source]]\npath = "archive/new"\n'
    )
    assert root == tmp_path / "archive"
    found = jobs(planned(write(tmp_path, text)))
    assert {name: job.key[:2] for name, job in found.items()} == {
        "RPT": ("LG", "c1"),
        "life": ("LG", "c2"),
        "m": ("LG2", "k"),
    }
    assert found["RPT"].metadata == {"protocol": {"ambient_temperature_degc": 25.0}}


def test_defaults_hold_where_nothing_else_is_stated(tree: MakeTree, tmp_path: Path) -> None:
    tree(
        {
            "LG/spec.json": SPEC,
            "LG/c/RPT 1.csv": "",
            "LG/c/RPT 2.csv": "",
            "LG/c/RPT 2.meta.json": {"tags": ["own"], "protocol": {"name": "other"}},
            "LG/c/life.csv": "",
        }
    )
    text = (
        '[[source]]\npath = "archive"\n'
        '[[defaults]]\nmatch = "*"\nrated_capacity = 3.0\nprotocol = { rate = "C/3" }\n'
        '[[defaults]]\nmatch = ["**/RPT*", "**/CU*"]\nprotocol = "RPT"\ntags = ["rpt"]\n'
        'transforms = ["set_sign"]\nstrict = false\nskip_checks = ["time_gaps"]\n'
        "voltage_window = [2.5, 4.2]\n"
    )
    found = jobs(planned(write(tmp_path, text)))
    first, second, life = found["RPT 1"], found["RPT 2"], found["life"]
    assert first.metadata == {"protocol": {"rate": "C/3", "name": "RPT"}, "tags": ["rpt"]}
    assert first.transforms == ("set_sign",)
    assert (first.checks.strict, first.checks.skip_checks) == (False, frozenset(["time_gaps"]))
    assert (first.checks.rated_capacity, first.checks.voltage_window) == (3.0, (2.5, 4.2))
    assert second.metadata == {"protocol": {"rate": "C/3", "name": "other"}, "tags": ["own"]}
    assert life.metadata == {"protocol": {"rate": "C/3"}}
    assert life.transforms == ()


def test_patterns_of_a_source_leave_out_with_their_rule(tree: MakeTree, tmp_path: Path) -> None:
    tree({"LG/spec.json": SPEC, "LG/c/a.csv": "", "LG/c/a.jpg": "", "LG/old/b.csv": ""})
    text = '[[source]]\npath = "archive"\ninclude = "*.csv"\nexclude = ["old/"]\n'
    items = planned(write(tmp_path, text))
    assert set(jobs(items)) == {"a"}
    rules = {Path(item.where).name: item.rule for item in items if isinstance(item, Skip)}
    assert rules == {"a.jpg": "not_included", "old": "exclude old/"}


def test_specifications_and_cells_may_stand_in_the_file(tree: MakeTree, tmp_path: Path) -> None:
    tree({"c1/m.csv": ""})
    text = (
        f'[[specification]]\nname = "LG M50"\n{CAPACITY}'
        '[[cell]]\nname = "C-01"\nspec = "LG M50"\nbatch = "B7"\ndate_manufactured = 2024-01-31\n'
        '[[source]]\npath = "archive"\nlayout = "{cell}/{measurement}.*"\n'
    )
    items = planned(write(tmp_path, text))
    assert [item.payload["ratings"] for item in items if isinstance(item, Specification)] == [
        {"capacity": {"value": 2.0, "unit": "A.h"}}
    ]
    job = jobs(items)["m"]
    assert (tuple(job.key), job.batch) == (("LG M50", "C-01", "m"), "B7")
    assert '"date_manufactured": "2024-01-31"' in json.dumps([str(one) for one in items]).replace(
        "\\\\", ""
    ).replace("'", '"')


def test_a_date_in_a_path_that_can_be_two_is_asked_about(tree: MakeTree, tmp_path: Path) -> None:
    tree({"spec.json": {**SPEC, "name": "s"}, "c_03.04.2023_m.csv": "", "c_17.04.2023_n.csv": ""})
    text = '[[source]]\npath = "archive"\nlayout = "{cell}_{date}_{measurement}.csv"\n'
    items = planned(write(tmp_path, text))
    assert {name: job.metadata for name, job in jobs(items).items()} == {
        "n": {"start_time": "2023-04-17"}
    }
    (problem,) = [item for item in items if isinstance(item, Problem) and item.rule == "bad_value"]
    assert "'03.04.2023' where the layout has {date}: it can be 2023-03-04 or 2023-04-03" in (
        problem.message
    )


WRONG = """\
specz = "x"
cells = "nope.csv"
[map]
"A" = "cel"
[target]
api_key = "sk-123"
url = "https://user:word@host"
[options]
workers = 3
layout = "x"
[limits]
wrkers = 2
[[source]]
path = "archive"
layout = [
  "{spec}/{cel}/{measurement}.*",
  "{spec}/{cell}",
]
pattern = "(?P<x>.)"
include = ["a["]
[[source]]
layot = "x"
[[defaults]]
match = "**/RPT*"
tags = "x"
transforms = ["set_sgn"]
start_time = 2024-01-31
[[defaults]]
tags = ["a"]
[[specification]]
nam = "x"
ratings.capacity = 3
[[cell]]
spec = "x"
"""


def test_everything_that_is_wrong_is_said_at_once_with_line_and_key(tree: MakeTree) -> None:
    path = write(tree({"x": ""}).parent, WRONG)
    with pytest.raises(JobFileError) as raised:
        read_job_file(path)
    text = str(raised.value)
    head, *lines = text.splitlines()
    assert head == f"{path} has {len(lines)} errors:"
    for start, words in {
        "line 1: key 'specz'": "did you mean 'specs'?",
        "line 2: key 'cells'": "'nope.csv', which does not exist; relative paths start at",
        "line 3: key 'map'": "maps 'A' to a field that is not known; did you mean 'cell'?",
        "line 6: key 'target.api_key'": "set IONWORKS_API_KEY",
        "line 7: key 'target.url'": "holds credentials",
        "line 9: key 'options.workers'": "stands in [limits]",
        "line 10: key 'options.layout'": "stands in its [[source]]",
        "line 12: key 'limits.wrkers'": "did you mean 'workers'?",
        "line 15: key 'source.layout'": "did you mean {cell}?",
        "line 19: key 'source.pattern'": "unknown group 'x'",
        "line 21: key 'source'": "has no path",
        "line 22: key 'source.layot'": "did you mean 'layout'?",
        "line 25: key 'defaults.tags'": "must be a list of texts",
        "line 26: key 'defaults.transforms'": "did you mean 'set_sign'?",
        "line 27: key 'defaults.start_time'": "is not known",
        "line 28: key 'defaults'": "has no match",
        "line 30: key 'specification'": "has no name",
        "line 31: key 'specification.nam'": "did you mean 'name'?",
        "line 32: key 'specification.ratings.capacity'": "must be a quantity",
        "line 33: key 'cell'": "has no name",
    }.items():
        assert any(line.strip().startswith(start) and words in line for line in lines), start
    assert "sk-123" not in text
    assert "user:word" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[source]\npath=1", "line 1: not valid TOML"),
        ("", "holds no [[source]]"),
        ('[source]\npath = "."\n', "must be written with two brackets: [[source]]"),
        ('map = 3\n[[source]]\npath = "."\n', "must be a table"),
        ("[[source]]\npath = 'x\\u001b[2J'\n", "which does not exist"),
    ],
)
def test_a_file_that_is_no_job_says_why(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    assert is_job_file(path)
    with pytest.raises(JobFileError, match=r"bulkload\.toml, ") as raised:
        list(planned(path))
    assert words in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_the_file_of_a_database_is_no_job(tmp_path: Path) -> None:
    assert not is_job_file(write(tmp_path, '[source.sql]\nurl = "sqlite:///x.db"\n'))
    assert not is_job_file(tmp_path / "missing.toml")


def test_lines_are_those_of_the_statement(tmp_path: Path) -> None:
    text = (
        'a = """\n[b]\nc = 1\n"""\n[[x]]\n"y z".w = [\n  "]",\n  "q = 1",\n]\n[[x]]\n[x.u]\nv = 2\n'
    )
    lines = key_lines(text)
    assert lines[("a",)] == 1
    assert lines[("x", 0, "y z", "w")] == 6
    assert lines[("x", 1)] == 10
    assert line_of(lines, ("x", 1, "u", "v")) == 12
    assert line_of(lines, ("x", 1, "u", "v", "inner")) == 12
    assert line_of(lines, ("nothing",)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(", "is not a regular expression"),
        ("(?P<cell>.)", r"has no group \(\?P<measurement>"),
        ("(?P<measurment>.)", "did you mean measurement"),
    ],
)
def test_a_pattern_with_a_mistake_says_so(text: str, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        NamedPattern.parse(text)


def test_of_several_ways_the_first_that_fits_is_taken() -> None:
    pattern = NamedPattern.parse(r"(?:(?P<batch>B\d)/)?(?P<cell>\w+)-(?P<measurement>\w*)\.csv")
    ways = Layouts((Layout.parse("x/{measurement}.*"), pattern, Layout.parse("**/{measurement}.*")))
    found: list[Any] = [
        ways.match(path.split("/")) for path in ("x/c-a.csv", "B1/c-a.csv", "c-a.csv", "c-.csv")
    ]
    assert found == [
        {"measurement": "c-a"},
        {"batch": "B1", "cell": "c", "measurement": "a"},
        {"cell": "c", "measurement": "a"},
        {"measurement": "c-"},
    ]
    assert ways.match(("nothing",)) is None
    assert ways.text == f"x/{{measurement}}.* or {pattern.text} or **/{{measurement}}.*"
