"""A plan taken again from the journal is the plan that would be made anew, whatever changed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from bulkload.cli.options.kept import listings_of
from bulkload.cli.options.shared import SheetArguments, SourceOptions
from bulkload.core.lifecycle import JobState
from bulkload.core.plan_items import Checks
from bulkload.core.prepare_result import PrepareOptions
from bulkload.engine.planning import planner
from bulkload.journal import Store
from bulkload.journal.database import FILE_NAME
from bulkload.settings import RunSettings
from bulkload.sources import listings as module

SPEC: Final = {"ratings": {"capacity": {"value": 2.0, "unit": "A*h"}}}
TEXT: Final = "Time [s],Voltage [V],Current [A],Step count\n0.0,3.3,0.5,0\n"


@pytest.fixture(autouse=True)
def any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what was written this moment count: each change below is one that is seen."""
    monkeypatch.setattr(module, "SETTLED_AFTER_NS", -(10**18))


class Archive:
    """An archive that changes as archives do, its times of modification counted up."""

    def __init__(self, root: Path, random: Random) -> None:
        self.root, self.random, self.clock_ns = root, random, 10**18
        self.spec = {"name": "NMC", **SPEC}
        self.count = 0
        for cell in ("cell 1", "cell 2"):
            for _ in range(3):
                self.add(cell)
        self.write(root / "NMC" / "spec.json", json.dumps(self.spec))
        self.write(root / "NMC" / "cell 1" / "photo.jpg", "no photo")

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        self.clock_ns += 10**9
        os.utime(path, ns=(self.clock_ns, self.clock_ns))

    def some(self) -> Path:
        return self.random.choice(sorted(self.root.rglob("run*.csv")))

    def add(self, cell: str = "cell 2") -> None:
        self.count += 1
        self.write(self.root / "NMC" / cell / f"run {self.count}.csv", TEXT + f"{self.count},3,1,0")

    def add_folder(self) -> None:
        self.add(f"cell {self.random.randrange(3, 9)}")

    def remove(self) -> None:
        self.some().unlink()

    def rename(self) -> None:
        path = self.some()
        self.count += 1
        path.rename(path.with_name(f"run {self.count} again.csv"))

    def touch(self) -> None:
        path = self.some()
        self.write(path, path.read_text("utf-8"))

    def grow(self) -> None:
        path = self.some()
        self.write(path, path.read_text("utf-8") + "1.0,3.2,0.5,0\n")

    def replace_alike(self) -> None:
        """Put another content of the same size and time of modification in a file's place."""
        path = self.some()
        status = path.stat()
        other = path.with_suffix(".other")
        other.write_text(path.read_text("utf-8").replace("Step", "Cell"), "utf-8")
        os.utime(other, ns=(status.st_mtime_ns, status.st_mtime_ns))
        other.replace(path)

    def make_several(self) -> None:
        """Turn a file into one of several tests, which only its content shows."""
        self.write(self.some(), "Test_ID,Time [s],Voltage [V],Current [A]\n1,0,3,1\n2,0,3,1\n")

    def state_specification(self) -> None:
        self.spec = {**self.spec, "notes": str(self.random.random())}
        self.write(self.root / "NMC" / "spec.json", json.dumps(self.spec))

    def state_cell(self) -> None:
        self.write(self.root / "NMC" / "cell 2" / "cell.json", json.dumps({"batch": "B7"}))

    def state_measurement(self) -> None:
        path = self.some()
        self.write(path.with_suffix(".meta.json"), json.dumps({"notes": str(self.random.random())}))

    def add_misfit(self) -> None:
        self.write(self.root / "NMC" / f"misfit {self.random.randrange(9)}.csv", TEXT)

    def hide(self) -> None:
        path = self.some()
        path.rename(path.with_name(f".{path.name}"))

    def ignore(self) -> None:
        self.write(self.root / ".bulkloadignore", self.some().name)

    def link(self) -> None:
        target = self.some()
        (target.parent / f"run link {self.random.randrange(99)}.csv").symlink_to(target)

    def copy(self) -> None:
        """Give two files of one name in Studio: by another ending."""
        path = self.some()
        shutil.copy2(path, path.with_suffix(".txt"))

    def change_nothing(self) -> None:
        """Leave everything as it is."""


CHANGES: Final = [
    one for name, one in vars(Archive).items()
    if callable(one) and name not in ("__init__", "write", "some")
]  # fmt: skip
#: What a user may state otherwise the next time.
OPTIONS: Final[list[Callable[[SourceOptions], SourceOptions]]] = [
    lambda one: replace(one, layout="{spec}/{cell}/run {measurement}.*"),
    lambda one: replace(one, exclude=("*1.csv",)),
    lambda one: replace(one, include=("NMC/cell 1/**",)),
    lambda one: replace(one, sheet_arguments=SheetArguments(day_first=True)),
]


def planned(
    root: Path, options: SourceOptions, settings: RunSettings, job: Path, *, anew: bool
) -> tuple[dict[str, Any], list[Any], bool]:
    """Return the account of a plan, all rows of the journal, and whether sources were read."""
    listings = None if anew else listings_of([str(root)], options, job)
    was_read = []

    def read() -> Iterator[Any]:
        was_read.append(True)
        prepare_options = settings.prepare_options
        yield from options.read([str(root)], prepare_options, listings=listings)

    make_plan = planner(read, settings, [str(root)], job, listings=listings)
    with Store(job / FILE_NAME) as store:
        run = store.begin_run("", {"sources": [str(root)]}, 0.0)
        account = make_plan(store, run, lambda: None)
    with sqlite3.connect(job / FILE_NAME) as connection:
        rows = [
            sorted(map(repr, connection.execute(f"SELECT * FROM {table}")))
            for table in ("job", "skip", "rejection", "specification", "cell")
        ]
        rows.append(
            connection.execute(
                "SELECT job, run, name, payload FROM event ORDER BY run, job, id"
            ).fetchall()
        )
    found = asdict(account) | {"refusal": account.refusal}
    found["this_run"] = {key: count for key, count in account.this_run.items() if count}
    for key in ("problems", "warnings"):
        found[key] = sorted(map(json.dumps, found[key]))
    return found, rows, bool(was_read)


def run_some(job: Path, random: Random) -> None:
    """Bring jobs into states in which a run leaves them."""
    with sqlite3.connect(job / FILE_NAME) as connection:
        for number, path in connection.execute("SELECT id, path FROM job").fetchall():
            if random.random() < 0.5 or not Path(path).exists():
                continue
            state = random.choice([*JobState])
            cause = "bad_rows" if state is JobState.REJECTED else ""
            if random.random() < 0.02:
                cause = "unreadable_file"
            status = Path(path).stat()
            stamp = status.st_size, status.st_mtime_ns
            connection.execute(
                "UPDATE job SET state=?, cause=?, source_bytes=?, source_mtime_ns=?, "
                "stored_source_bytes=?, stored_source_mtime_ns=?, has_given_up=? WHERE id=?",
                (state.value, cause, *stamp, *stamp, random.random() < 0.2, number),
            )


@pytest.mark.parametrize("seed", range(8))
def test_taken_again_is_what_a_plan_made_anew_is(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    archive = Archive(tmp_path / "archive", random)
    options, settings = SourceOptions(), RunSettings(checks=Checks(strict=True))
    job = tmp_path / "job"
    job.mkdir()
    planned(archive.root, options, settings, job, anew=False)
    for _ in range(6):
        run_some(job, random)
        if random.random() < 0.5:
            random.choice(CHANGES)(archive)
        asked, set_up = options, settings
        if random.random() < 0.15:
            asked = random.choice(OPTIONS)(options)
        if random.random() < 0.1:
            set_up = replace(settings, prepare_options=PrepareOptions(transforms=("set_sign",)))
        beside = tmp_path / "beside"
        shutil.copytree(job, beside)
        anew = planned(archive.root, asked, set_up, beside, anew=True)
        shutil.rmtree(beside)
        again = planned(archive.root, asked, set_up, job, anew=False)
        assert again[0] == anew[0]
        assert again[1] == anew[1]


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__)
def test_is_read_anew_after_each_change_and_only_then(
    tmp_path: Path, change: Callable[[Archive], None]
) -> None:
    archive = Archive(tmp_path / "archive", Random(1))
    job = tmp_path / "job"
    job.mkdir()
    plan = partial(planned, archive.root, SourceOptions(), RunSettings(), job, anew=False)
    assert plan()[2]
    assert not plan()[2]
    change(archive)
    assert plan()[2] == (change is not Archive.change_nothing)


@pytest.mark.parametrize(
    ("cause", "is_read"), [("unreadable_file", True), ("vanished", True), ("bad_rows", False)]
)
def test_is_read_anew_where_a_source_could_not_be_read_for_a_while(
    cause: str, tmp_path: Path, *, is_read: bool
) -> None:
    archive = Archive(tmp_path / "archive", Random(1))
    job = tmp_path / "job"
    job.mkdir()
    plan = partial(planned, archive.root, SourceOptions(), RunSettings(), job, anew=False)
    assert plan()[2]
    with sqlite3.connect(job / FILE_NAME) as connection:
        connection.execute("UPDATE job SET state='rejected', cause=? WHERE id=1", (cause,))
    assert plan()[2] is is_read


def test_is_read_anew_where_a_file_of_an_option_changed(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", Random(1))
    (archive.root / "NMC" / "spec.json").unlink()
    specs, job = tmp_path / "specs.json", tmp_path / "job"
    specs.write_text(json.dumps({"name": "NMC", **SPEC}), "utf-8")
    job.mkdir()
    options = SourceOptions(specs=specs)
    plan = partial(planned, archive.root, options, RunSettings(), job, anew=False)
    assert [plan()[2], plan()[2]] == [True, False]
    specs.write_text(json.dumps({"name": "NMC", **SPEC, "notes": "new"}), "utf-8")
    assert [plan()[2], plan()[2]] == [True, False]


def test_an_archive_is_read_anew_where_it_changed(tmp_path: Path) -> None:
    packed, job = tmp_path / "year.zip", tmp_path / "job"
    job.mkdir()

    def pack(*names: str) -> None:
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("NMC/spec.json", json.dumps(SPEC))
            for name in names:
                file.writestr(f"NMC/cell/{name}.csv", TEXT)

    pack("a", "b")
    plan = partial(planned, packed, SourceOptions(), RunSettings(), job, anew=False)
    assert [plan()[2], plan()[2]] == [True, False]
    pack("a", "b", "c")
    account, _, was_read = plan()
    assert was_read
    assert account["this_run"] == {"new": 1, "unchanged": 2}


def test_a_file_that_is_cut_short_proves_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", Random(1))
    job = tmp_path / "job"
    job.mkdir()
    plan = partial(planned, archive.root, SourceOptions(), RunSettings(), job, anew=False)
    plan()
    kept = job / module.FILE_NAME
    kept.write_text("".join(kept.read_text("ascii").splitlines(keepends=True)[:-1]), "ascii")
    archive.add()
    assert plan()[2]


def test_what_was_changed_this_moment_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_AFTER_NS", 10**18)
    archive = Archive(tmp_path / "archive", Random(1))
    job = tmp_path / "job"
    job.mkdir()
    plan = partial(planned, archive.root, SourceOptions(), RunSettings(), job, anew=False)
    assert [plan()[2], plan()[2]] == [True, True]


def test_a_package_that_comes_has_the_plan_made_anew_and_a_link_to_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environments that are made later share files with this one, which changes their times."""
    packages, other = tmp_path / "packages", tmp_path / "other"
    for folder in (packages / "one-1.0.dist-info", other):
        folder.mkdir(parents=True)
    (packages / "one.py").touch()
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(packages))

    def identity() -> str:
        return module.Listings(tmp_path / "listings.jsonl", {}, ()).identity

    before = identity()
    (other / "one.py").hardlink_to(packages / "one.py")
    assert identity() == before
    (packages / "two-1.0.dist-info").mkdir()
    assert identity() != before
