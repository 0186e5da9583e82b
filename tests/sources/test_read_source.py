"""Folders and manifests as plans: what is found, what is in the way, what is left out."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkload.core.issues import Severity
from bulkload.core.path_layout import DEFAULT_LAYOUT, Layout
from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import (
    CellMetadata,
    Checks,
    PlanItem,
    Problem,
    Skip,
    Specification,
    UploadJob,
)
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.errors import PlanError
from bulkload.sources.metadata_files import role_of
from bulkload.sources.plan_file import write_plan
from bulkload.sources.read_source import read_source
from tests.plans import account_of
from tests.sources.conftest import MakeTree

RATINGS = {
    "capacity": {"value": 5.0, "unit": "A.h"},
    "voltage_min": {"value": 2.5, "unit": "V"},
    "voltage_max": {"value": 4.2, "unit": "V"},
}
SPEC = {"form_factor": "21700", "ratings": RATINGS}


def plan(*sources: Path, layout: str = DEFAULT_LAYOUT, specs: Path | None = None) -> list[PlanItem]:
    items = list(read_source(*sources, layout=Layout.parse(layout), specs=specs))
    check_order(items)
    return items


def check_order(items: list[PlanItem]) -> None:
    """Each specification once and before its first job; each cell's metadata likewise."""
    specifications = set[str]()
    cells, started = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for item in items:
        json.dumps(asdict(item), default=list)
        if isinstance(item, Specification):
            assert item.name not in specifications
            assert item.payload["name"] == item.name
            specifications.add(item.name)
        elif isinstance(item, CellMetadata):
            assert (item.spec, item.cell) not in cells | started
            cells.add((item.spec, item.cell))
        elif isinstance(item, UploadJob):
            assert item.key.spec in specifications
            started.add(item.key[:2])


def jobs(items: list[PlanItem]) -> list[UploadJob]:
    return [item for item in items if isinstance(item, UploadJob)]


def told(items: Sequence[PlanItem], root: Path) -> list[tuple[str, str]]:
    """Give what is in the way or left out: the path below the root and the rule."""
    return [
        (Path(item.where).relative_to(root).as_posix(), item.rule)
        for item in items
        if isinstance(item, Problem | Skip)
    ]


def problems(items: list[PlanItem]) -> list[Problem]:
    return [item for item in items if isinstance(item, Problem)]


def test_a_folder_with_metadata_beside_the_data(tree: MakeTree) -> None:
    root = tree(
        {
            "LG M50/spec.json": SPEC,
            "LG M50/c1/cell.yaml": "batch: B1\nnotes: dented\n",
            "LG M50/c1/RPT.csv": "",
            "LG M50/c1/RPT.meta.json": {
                "protocol": "CC-CV",
                "start_time": "2024-01-31",
                "tags": ["rpt"],
                "strict": False,
                "skip_checks": ["time_gaps"],
                "rated_capacity": 4.9,
                "voltage_window": [2.5, 4.2],
                "data_type": "eis",
                "reader": "arbin",
            },
            "LG M50/c1/mass.properties.json": {"mass": {"value": 70, "unit": "g"}},
            "LG M50/c1/photo.JPG": b"",
            "LG M50/c2/RPT.bdf.csv.gz": b"",
        }
    )
    items = plan(root)
    cell = root / "LG M50" / "c1"
    assert items == [
        Specification(
            name="LG M50",
            payload={"name": "LG M50", **SPEC},
            origin=str(root / "LG M50" / "spec.json"),
        ),
        CellMetadata(spec="LG M50", cell="c1", payload={"notes": "dented"}),
        UploadJob(
            key=JobKey("LG M50", "c1", "RPT"),
            path=str(cell / "RPT.csv"),
            reader="arbin",
            data_type="eis",
            batch="B1",
            metadata={"protocol": {"name": "CC-CV"}, "start_time": "2024-01-31", "tags": ["rpt"]},
            checks=Checks(
                strict=False,
                skip_checks=frozenset({"time_gaps"}),
                rated_capacity=4.9,
                voltage_window=(2.5, 4.2),
            ),
        ),
        UploadJob(
            key=JobKey("LG M50", "c1", "mass"),
            type=MeasurementType.PROPERTIES,
            path=str(cell / "mass.properties.json"),
            batch="B1",
        ),
        UploadJob(
            key=JobKey("LG M50", "c1", "photo"),
            type=MeasurementType.FILE,
            path=str(cell / "photo.JPG"),
            batch="B1",
        ),
        UploadJob(
            key=JobKey("LG M50", "c2", "RPT"),
            path=str(root / "LG M50" / "c2" / "RPT.bdf.csv.gz"),
        ),
    ]


def test_what_is_no_data_is_left_out_by_a_named_rule(tree: MakeTree) -> None:
    root = tree(
        {
            "s/spec.json": SPEC,
            "s/c/.DS_Store": "",
            "s/c/Thumbs.db": "",
            "s/c/~$book.xlsx": "",
            "s/c/RPT.csv.tmp": "",
            "s/c/RPT.csv~": "",
            "s/c/RPT.csv": "",
            ".git/c/x.csv": "",
            "__MACOSX/c/x.csv": "",
        }
    )
    assert sorted(told(plan(root), root)) == [
        (".git", Rule.HIDDEN),
        ("__MACOSX", Rule.SYSTEM_FILE),
        ("s/c/.DS_Store", Rule.HIDDEN),
        ("s/c/RPT.csv.tmp", Rule.TEMPORARY_FILE),
        ("s/c/RPT.csv~", Rule.TEMPORARY_FILE),
        ("s/c/Thumbs.db", Rule.SYSTEM_FILE),
        ("s/c/~$book.xlsx", Rule.OFFICE_LOCK),
    ]


def test_what_is_in_the_way_is_told_with_its_path(tree: MakeTree) -> None:
    long = "x" * 250
    root = tree(
        {
            "readme.txt": "",
            "LG/spec.json": SPEC,
            "LG/c/RPT.csv": "",
            "LG/c/RPT.parquet": "PAR1",
            "LG/c/new\nline.csv": "",
            "LG/c/quote \" and '.csv": "",
            "LG/c/🔋.csv": "",
            f"LG/c/{long}.csv": "",
            "LG/c/deeper/x.csv": "",
            "none/c/RPT.csv": "",
        }
    )
    items = plan(root)
    assert told(items, root) == [
        ("readme.txt", Rule.NO_LAYOUT),
        ("LG/c/deeper/x.csv", Rule.NO_LAYOUT),
        ("none/c/RPT.csv", Rule.SPECIFICATION_MISSING),
    ]
    account = account_of(items)
    found = account.problems
    assert account.problem_count == 5
    assert "'readme.txt' does not fit the layout" in found[0].message
    assert (found[1].where, found[1].rule) == (
        str(root / "LG" / "c" / "RPT.parquet"),
        Rule.DUPLICATE_NAME,
    )
    assert str(root / "LG" / "c" / "RPT.csv") in found[1].message
    assert (found[2].where, found[2].rule) == (
        str(root / "LG" / "c" / "RPT.csv"),
        Rule.DUPLICATE_NAME,
    )
    assert "looked for spec.{json|yaml|yml|toml} in" in found[4].message
    assert str(root / "none" / "c") in found[4].message
    names = {job.key.measurement for job in jobs(items)}
    assert names == {"RPT", "quote \" and '", "🔋", "new\nline", long}


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system composes names itself")
def test_names_that_differ_in_composition_only_are_one_name(tree: MakeTree) -> None:
    names = ["é", unicodedata.normalize("NFD", "é")]
    root = tree({"s/spec.json": SPEC, **{f"s/c/{name}.csv": str(len(name)) for name in names}})
    items = plan(root)
    assert [job.key.measurement for job in jobs(items)] == ["é", "é"]
    account = account_of(items)
    assert (account.jobs, account.contested) == (1, 1)
    assert [problem.rule for problem in account.problems] == [Rule.DUPLICATE_NAME] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_told_as_escapes(tree: MakeTree) -> None:
    root = tree({"s/spec.json": SPEC, "s/c/x.csv": ""})
    (root / "s" / "c" / os.fsdecode(b"Z\xfc.csv")).touch()
    items = plan(root)
    (problem,) = problems(items)
    assert problem.rule == Rule.UNDECODABLE_NAME
    assert problem.where.endswith("Z\\xfc.csv")
    assert len(jobs(items)) == 1
    with pytest.raises(PlanError, match="not valid text"):
        plan(root / os.fsdecode(b"\xfc"))


def test_cells_stay_together_and_every_run_has_the_same_order(tree: MakeTree) -> None:
    names = ["b_A.csv", "a_A.csv", "a_B.csv", "c_A.csv", "b_B.csv"]
    root = tree({"s/spec.json": SPEC, **{f"s/{name}": "" for name in names}})
    layout = "{spec}/{measurement}_{cell}.csv"
    order = [job.key[1:] for job in jobs(plan(root, layout=layout))]
    assert order == [("A", "a"), ("A", "b"), ("A", "c"), ("B", "a"), ("B", "b")]
    assert plan(root, layout=layout) == plan(root, layout=layout)


needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@needs_links
def test_links(tree: MakeTree, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "c9").mkdir(parents=True)
    (outside / "c9" / "x.csv").touch()
    root = tree({"s/spec.json": SPEC, "s/c/RPT.csv": ""})
    for link, target in {
        "s/latest": root / "s" / "c",
        "s/loop": root,
        "s/c/gone.csv": root / "nothing",
        "s/c/self.csv": root / "s" / "c" / "self.csv",
        "s/c/other.csv": outside / "c9" / "x.csv",
        "s/c9": outside / "c9",
    }.items():
        (root / link).symlink_to(target)
    (outside / "c9" / "around").symlink_to(outside / "c9")
    os.mkfifo(root / "s" / "c" / "pipe.csv")
    items = plan(root)
    assert sorted(told(items, root)) == [
        ("s/c/gone.csv", Rule.BROKEN_LINK),
        ("s/c/pipe.csv", Rule.NOT_A_FILE),
        ("s/c/self.csv", Rule.BROKEN_LINK),
        ("s/c9/around", Rule.LINK_LOOP),
        ("s/latest", Rule.LINK_INTO_SOURCE),
        ("s/loop", Rule.LINK_INTO_SOURCE),
    ]
    assert [job.key[1:] for job in jobs(items)] == [("c", "RPT"), ("c", "other"), ("c9", "x")]


def test_a_folder_that_vanishes_or_may_not_be_read_is_told_and_the_walk_goes_on(
    tree: MakeTree,
) -> None:
    root = tree({"s/spec.json": SPEC, **{f"s/{cell}/x.csv": "" for cell in "abc"}})
    stream = read_source(root, layout=Layout.parse())
    assert isinstance(next(stream), Specification)
    assert isinstance(next(stream), UploadJob)
    (root / "s" / "b" / "x.csv").unlink()
    (root / "s" / "b").rmdir()
    problem, job = stream
    assert isinstance(problem, Problem)
    assert (problem.where, problem.rule) == (str(root / "s" / "b"), Rule.UNREADABLE_FOLDER)
    assert "cannot be listed: No such file" in problem.message
    assert isinstance(job, UploadJob)
    assert job.key.cell == "c"


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as somebody for whom permissions count: root reads everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX permissions")
def test_a_folder_without_permission_is_told_and_the_walk_goes_on() -> None:
    # Not below pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "spec.json").write_text('{"name": "s"}')
        for cell in "ab":
            (root / "s" / cell).mkdir(parents=True)
            (root / "s" / cell / "x.csv").touch()
        (root / "s" / "a").chmod(0)
        with without_privileges():
            items = plan(root)
        (root / "s" / "a").chmod(0o755)
    (problem,) = [item for item in problems(items) if item.severity is Severity.ERROR]
    assert (problem.where, problem.rule) == (str(root / "s" / "a"), Rule.UNREADABLE_FOLDER)
    assert problem.message == "cannot be listed: Permission denied"
    assert [job.key.cell for job in jobs(items)] == ["b"]


def test_a_folder_that_is_too_deep_is_told(tree: MakeTree) -> None:
    root = tree({"s/spec.json": SPEC, "s/" + "d/" * 70 + "x.csv": "", "s/y.csv": ""})
    items = plan(root, layout="{spec}/**/{cell}/{measurement}.*")
    assert ("s/" + "d/" * 64).rstrip("/") in dict(told(items, root))
    assert Rule.TOO_DEEP in dict(told(items, root)).values()


def test_the_nearest_metadata_that_bears_the_name_counts(tree: MakeTree) -> None:
    root = tree(
        {
            "spec.json": {"name": "LG", **SPEC},
            "2019/LG/c1/x.csv": "",
            "2019/LG/cell.json": {"name": "c1", "notes": "from above"},
            "2019/LG/c2/x.csv": "",
            "2019/LG/c2/cell.json": {"notes": "by its folder"},
            "2019/LG/c3/cell.json": {"name": "C 3", "notes": "another's"},
            "2019/LG/c3/x.csv": "",
        }
    )
    items = plan(root, layout="*/{spec}/{cell}/{measurement}.*")
    cells = {item.cell: item.payload for item in items if isinstance(item, CellMetadata)}
    assert cells == {"c1": {"notes": "from above"}, "c2": {"notes": "by its folder"}}
    (problem,) = problems(items)
    assert problem.rule == Rule.METADATA_UNUSED
    assert problem.severity is Severity.WARNING
    assert problem.where.endswith("cell.json")
    assert "it is for cell 'C 3', and no file here is planned for that" in problem.message


def test_a_specification_of_another_name_does_not_count_and_is_named(tree: MakeTree) -> None:
    root = tree({"LG/spec.json": {"name": "LG INR21700", **SPEC}, "LG/c/x.csv": ""})
    items = plan(root)
    assert [problem.rule for problem in problems(items)] == [
        Rule.SPECIFICATION_MISSING,
        Rule.METADATA_UNUSED,
    ]
    assert "spec.json' is for 'LG INR21700'" in problems(items)[0].message


def test_a_layout_without_specification_and_cell_takes_the_nearest_files(tree: MakeTree) -> None:
    root = tree(
        {
            "spec.toml": 'name = "LG"\n',
            "c1/cell.json": {"batch": 3},
            "c1/x.csv": "",
            "c2/x.csv": "",
        }
    )
    items = plan(root, layout="**/{measurement}.*")
    assert [job.key for job in jobs(items)] == [("LG", "c1", "x")]
    assert jobs(items)[0].batch == "3"
    assert [problem.rule for problem in problems(items)] == [
        Rule.RATINGS_MISSING,
        Rule.CELL_MISSING,
    ]
    assert "capacity, voltage_min, voltage_max" in problems(items)[0].message


def test_one_specification_of_the_option_serves_a_layout_without_any(tree: MakeTree) -> None:
    root = tree({"A_1.csv": "", "A_2.csv": ""})
    specs = root.parent / "specs.json"
    specs.write_text(json.dumps({"name": "LG", **SPEC}))
    items = plan(root, layout="{cell}_{measurement}.csv", specs=specs)
    assert [job.key for job in jobs(items)] == [("LG", "A", "1"), ("LG", "A", "2")]
    specs.write_text(json.dumps([{"name": "LG", **SPEC}, {"name": "A123", **SPEC}]))
    (first, _) = problems(plan(root, layout="{cell}_{measurement}.csv", specs=specs))
    assert first.rule == Rule.SPECIFICATION_MISSING
    assert "specs.json' (--specs). Add it to one of them" in first.message


def test_a_specification_with_two_contents_is_told(tree: MakeTree) -> None:
    root = tree(
        {
            "1/LG/spec.json": SPEC,
            "1/LG/c/x.csv": "",
            "2/LG/spec.json": {**SPEC, "form_factor": "18650"},
            "2/LG/c/y.csv": "",
            "3/LG/spec.yaml": json.dumps(SPEC),
            "3/LG/c/z.csv": "",
        }
    )
    items = plan(root, layout="*/{spec}/{cell}/{measurement}.*")
    assert told(items, root) == [("2/LG/c/y.csv", Rule.SPECIFICATION_CONFLICT)]
    assert len(jobs(items)) == 2
    specs = root.parent / "specs.json"
    specs.write_text(json.dumps({"name": "LG", **SPEC, "notes": "x"}))
    items = plan(root, layout="*/{spec}/{cell}/{measurement}.*", specs=specs)
    assert {rule for _, rule in told(items, root)} == {Rule.SPECIFICATION_CONFLICT}


def test_a_cell_with_two_contents_or_two_batches_is_told(tree: MakeTree) -> None:
    root = tree(
        {
            "1/LG/spec.json": SPEC,
            "1/LG/c/cell.json": {"batch": "B1", "notes": "a"},
            "1/LG/c/x.csv": "",
            "2/LG/spec.json": SPEC,
            "2/LG/c/cell.json": {"batch": "B1", "notes": "b"},
            "2/LG/c/y.csv": "",
            "3/LG/spec.json": SPEC,
            "3/LG/c/cell.json": {"batch": "B2", "notes": "a"},
            "3/LG/c/z.csv": "",
        }
    )
    items = plan(root, layout="*/{spec}/{cell}/{measurement}.*")
    assert told(items, root) == [
        ("2/LG/c/y.csv", Rule.CELL_CONFLICT),
        ("3/LG/c/z.csv", Rule.BATCH_CONFLICT),
    ]


def test_what_the_path_says_gives_way_to_what_a_person_says(tree: MakeTree) -> None:
    root = tree(
        {
            "LG/spec.json": SPEC,
            "LG/B1/c1_20240131.csv": "",
            "LG/B1/c2_20240131.csv": "",
            "LG/B1/c2_20240131.meta.json": {"start_time": "2024-02-01T08:00:00+01:00"},
            "LG/B1/cell.json": {"name": "c2", "batch": "B2"},
            "LG/B1/c3_first.csv": "",
        }
    )
    items = plan(root, layout="{spec}/{batch}/{cell}_{date}.csv".replace("{date}", "{measurement}"))
    assert [(job.key.cell, job.batch) for job in jobs(items)] == [
        ("c1", "B1"),
        ("c2", "B2"),
        ("c3", "B1"),
    ]
    dated = tree({"LG2/spec.json": SPEC, "LG2/20240131/c/m.csv": "", "LG2/first/c/n.csv": ""})
    items = plan(dated, layout="{spec}/{date}/{cell}/{measurement}.csv")
    metadata = {job.key.measurement: job.metadata for job in jobs(items) if job.key.spec == "LG2"}
    assert metadata == {"m": {"start_time": "2024-01-31"}, "n": {}}


@pytest.mark.parametrize(
    ("name", "content", "rule", "words"),
    [
        ("LG/spec.json", '{"name": ', Rule.UNREADABLE_METADATA, "line 1: not valid JSON"),
        (
            "LG/c/cell.json",
            '{\n"bach": 1}',
            Rule.UNKNOWN_KEY,
            "line 2: key 'bach' is not known; did",
        ),
        (
            "LG/c/cell.toml",
            "date_manufactured = 2024",
            Rule.BAD_VALUE,
            "key 'date_manufactured' is not",
        ),
        ("LG/c/x.meta.yaml", "strict: no", Rule.BAD_VALUE, "line 1: key 'strict' must be true or"),
        ("LG/c/x.meta.yaml", "start_time: 31.1.2024", Rule.BAD_VALUE, "is not a time in ISO 8601"),
        (
            "LG/c/x.meta.yaml",
            "voltage_window: [4.2, 2.5]",
            Rule.BAD_VALUE,
            "its lower voltage first",
        ),
        (
            "LG/c/x.meta.json",
            '{"rated_capacity": NaN}',
            Rule.UNREADABLE_METADATA,
            "is not a finite",
        ),
        (
            "LG/c/x.meta.json",
            '{"test_setup": {"password": 1}}',
            Rule.BAD_VALUE,
            "credentials must not",
        ),
        ("LG/c/x.meta.json", "[]", Rule.BAD_VALUE, "the document must be an object"),
    ],
)
def test_broken_metadata_is_told_once_and_holds_back_what_it_concerns(
    tree: MakeTree, name: str, content: str, rule: Rule, words: str
) -> None:
    files: dict[str, Any] = {"LG/spec.json": SPEC, "LG/c/x.csv": "", "LG/c/y.csv": ""}
    root = tree({**files, name: content})
    items = plan(root)
    first, *rest = problems(items)
    assert (Path(first.where).relative_to(root).as_posix(), first.rule) == (name, rule)
    assert words in first.message
    held = 1 if ".meta." in name else 2
    assert [problem.rule for problem in rest] == [Rule.METADATA_BROKEN] * held
    assert len(jobs(items)) == 2 - held


def test_two_files_for_one_thing_are_told(tree: MakeTree) -> None:
    files = {"LG/spec.json": SPEC, "LG/spec.yaml": "name: LG", "LG/c/x.csv": ""}
    first, second = problems(plan(tree(files)))
    assert first.rule == Rule.METADATA_TWICE
    assert "'spec.json' and 'spec.yaml' describe the same thing" in first.message
    assert second.rule == Rule.METADATA_BROKEN


def test_metadata_that_nothing_uses_is_told(tree: MakeTree) -> None:
    files = {
        "LG/spec.json": SPEC,
        "LG/c/x.csv": "",
        "LG/c/y.meta.json": {"notes": "typo in the name"},
        "LG/empty/cell.json": {"notes": "no data"},
    }
    root = tree(files)
    items = plan(root)
    assert sorted(told(items, root)) == [
        ("LG/c/y.meta.json", Rule.METADATA_UNUSED),
        ("LG/empty/cell.json", Rule.METADATA_UNUSED),
    ]
    assert all(problem.severity is Severity.WARNING for problem in problems(items))


def test_a_manifest_states_and_files_beside_the_data_fill(tree: MakeTree) -> None:
    rows = [
        "spec,cell,measurement,path,batch,notes,cycler,strict",
        "LG,c,a,LG/c/a.csv,,stated,Neware,true",
        "LG,c,b,LG/c/a.csv,B9,,,",
        "LG,c,d,LG/c/gone.csv,,,,",
    ]
    root = tree(
        {
            "m.csv": "\n".join(rows),
            "LG/spec.json": SPEC,
            "LG/c/cell.json": {"batch": "B1", "notes": "of the cell"},
            "LG/c/a.csv": "",
            "LG/c/a.meta.json": {
                "notes": "beside",
                "test_setup": {"cycler": "x", "lab": "y"},
                "strict": False,
                "rated_capacity": 5,
            },
        }
    )
    items = plan(root / "m.csv")
    (job,) = jobs(items)
    assert job.batch == "B1"
    assert job.metadata == {"notes": "stated", "test_setup": {"cycler": "Neware", "lab": "y"}}
    assert job.checks == Checks(strict=True, rated_capacity=5.0)
    assert [(problem.where.rpartition(", ")[2], problem.rule) for problem in problems(items)] == [
        ("row 3", Rule.BATCH_CONFLICT),
        ("row 4", Rule.PATH_MISSING),
    ]


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".parquet", ".jsonl"])
def test_the_plan_of_a_folder_runs_as_the_folder_does(tree: MakeTree, form: str) -> None:
    """The plan lies elsewhere; metadata beside the data is found again by the paths in it."""
    root = tree(
        {
            "LG/spec.json": SPEC,
            "LG/c1/cell.json": {"batch": "B1", "notes": "n"},
            "LG/c1/a.csv": "",
            "LG/c1/a.meta.json": {"tags": ["x"], "protocol": {"name": "p", "definition": {"a": 1}}},
            "LG/c1/p.properties.yaml": "",
            "LG/c2/a 🔋.csv": "",
        }
    )
    items = plan(root)
    path = root.parent / f"plan{form}"
    assert write_plan(path, jobs(items)) == 3
    assert plan(path) == items


def test_a_table_in_memory_is_a_source(tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"LG/spec.json": SPEC, "LG/c/x.csv": ""})
    monkeypatch.chdir(root)
    frame = pd.DataFrame(
        {"spec": "LG", "cell": "c", "measurement": ["a", "b"], "path": ["LG/c/x.csv", "gone.csv"]}
    )
    items = list(read_source(frame, layout=Layout.parse()))
    assert [job.path for job in jobs(items)] == [str(root / "LG" / "c" / "x.csv")]
    assert [(problem.where, problem.rule) for problem in problems(items)] == [
        ("the table, row 3", Rule.PATH_MISSING)
    ]


def test_real_cycler_files_become_measurements_with_names_to_keep(
    shared_data: Path, tmp_path: Path
) -> None:
    """Every file is a job but one: EC-Lab's two forms of one test claim one name."""
    specs = tmp_path / "specs.csv"
    specs.write_text("name,capacity [A.h],voltage_min [V],voltage_max [V]\nany,1,2.5,4.2\n")
    root = shared_data / "cycler"
    items = plan(root, layout="{cell}/{measurement}.*", specs=specs)
    files = [file for file in root.rglob("*") if file.is_file()]
    account = account_of(items)
    assert account.jobs == len(files) - 1
    assert [(problem.rule, Path(problem.where).name) for problem in account.problems] == [
        (Rule.DUPLICATE_NAME, "gcpl.issue_211.mpt"),
        (Rule.DUPLICATE_NAME, "gcpl.issue_211.mpr"),
    ]
    names = {Path(job.path).name: job.key.measurement for job in jobs(items)}
    assert names["example_formation.062"] == "example_formation"
    assert names["mb.issue_95.de.mpt"] == "mb.issue_95.de"
    assert not any(name.endswith((".bdf", ".csv")) for name in names.values())


def test_sources_are_judged_together(tree: MakeTree) -> None:
    root = tree(
        {
            "one/LG/spec.json": SPEC,
            "one/LG/c/x.csv": "1",
            "two/LG/spec.json": SPEC,
            "two/LG/c/x.csv": "2",
        }
    )
    items = plan(root / "one", root / "two")
    assert sum(isinstance(item, Specification) for item in items) == 1
    assert told(account_of(items).problems, root) == [
        ("two/LG/c/x.csv", Rule.DUPLICATE_NAME),
        ("one/LG/c/x.csv", Rule.DUPLICATE_NAME),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [("x.nda", "is neither a folder, an archive nor a manifest"), ("x.csv", "is not a manifest")],
)
def test_a_file_of_data_is_no_source(tree: MakeTree, name: str, words: str) -> None:
    root = tree({name: "Time [s],Voltage [V]\n0,1\n"})
    (problem,) = problems(plan(root / name))
    assert problem.rule == Rule.NOT_A_SOURCE
    assert words in problem.message
    assert "the folder it lies in" in problem.message


def test_a_source_that_is_not_there_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no such file or folder"):
        plan(tmp_path / "gone")


def test_no_data_file_is_opened(tree: MakeTree) -> None:
    """Reading a pipe would wait for ever; so would a plan that looked into data files."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    root = tree({"s/spec.json": SPEC, "s/c/x.csv": ""})
    os.mkfifo(root / "pipe")
    (root / "s" / "c" / "y.csv").symlink_to(root / "pipe")
    assert [job.key.measurement for job in jobs(plan(root))] == ["x"]


_PART = st.text(st.sampled_from("ab.é \n_~$"), min_size=1, max_size=5).filter(
    lambda part: part not in (".", "..")
)
_NAMES = st.one_of(
    _PART,
    _PART.map(lambda part: part + ".csv"),
    st.sampled_from(["spec.json", "cell.yaml", "a.meta.json", "a.csv", "a.parquet", ".x", "b.tmp"]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sets(st.lists(_NAMES, min_size=1, max_size=4).map("/".join), max_size=12))
def test_every_file_ends_in_one_place(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str]
) -> None:
    """A job, a problem, left out by a rule, or metadata: one of them, and exactly once."""
    root = tmp_path_factory.mktemp("archive")
    made = []
    for path in sorted(paths):
        target = root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text('{"name": "a"}')
        except OSError:
            # A file stands where a folder should be, or the other way round.
            continue
        made.append(target)
    items = plan(root)
    ends = Counter(
        item.path if isinstance(item, UploadJob) else item.where
        for item in items
        if isinstance(item, UploadJob | Skip)
        or (isinstance(item, Problem) and item.severity is Severity.ERROR)
    )
    skipped = {item.where for item in items if isinstance(item, Skip)}
    for target in made:
        above = {str(parent) for parent in target.parents}
        if above & skipped:
            assert ends[str(target)] == 0
        elif role_of(target.name) is None:
            assert ends[str(target)] == 1
