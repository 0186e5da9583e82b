"""The bulk job from Python: in a script, and in a notebook, where an event loop runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bulkload
from bulkload.core.outcome import Outcome
from bulkload.localstudio import LocalStudio
from bulkload.settings import RunLimits, RunSettings
from tests.archives import RATINGS, archive, series
from tests.conftest import ROOT
from tests.jobs import Jobs
from tests.manual.examples import blocks

SETTINGS = RunSettings(limits=RunLimits(workers=1))

Call = Callable[..., Any]


@pytest.fixture(params=["script", "notebook"])
def call(request: pytest.FixtureRequest) -> Call:
    """Call a function where no event loop runs, and inside one that runs; `exec` for examples."""

    def inside(function: Call, *sources: Any, **arguments: Any) -> Any:
        async def cell() -> Any:
            return function(*sources, **arguments)

        return asyncio.run(cell())

    def outside(function: Call, *sources: Any, **arguments: Any) -> Any:
        return function(*sources, **arguments)

    return inside if request.param == "notebook" else outside


def test_an_archive_goes_from_survey_to_account(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, call: Call
) -> None:
    archive(tmp_path / "archive", measurements=2, rows=20)
    (tmp_path / "archive" / "notes.txt").write_text("a misfit")
    jobs.use(studio)
    names: dict[str, Any] = {}
    for block in blocks((ROOT / "README.md").read_text("utf-8")):
        if block.language == "python":
            call(exec, block.text, names)
    proposed, planned, made = (names[name] for name in ("proposed", "planned", "made"))
    assert len(proposed) == 4
    assert planned["upload"].tolist() == ["yes", "yes", "no"]
    assert planned["measurement"].tolist()[:2] == ["run 0", "run 1"]
    assert planned["rule"].tolist()[2] == "no_layout"
    assert made["outcome"].tolist() == ["created", "created", "skipped"]
    assert made.attrs["exit_code"] == 0
    assert call(bulkload.account, "jobs/python")["outcome"].tolist() == made["outcome"].tolist()
    checked = call(bulkload.check, "archive")
    assert checked["outcome"].tolist() == ["fit", "fit", "rejected"]
    table = call(bulkload.read, tmp_path / "archive/spec 0/cell 0/run 0.csv")
    assert len(table) == 20
    assert table.attrs["provenance"]["file"] == "run 0.csv"


def test_one_bad_table_costs_itself(jobs: Jobs, studio: LocalStudio, call: Call) -> None:
    tables = {
        ("spec", "cell", "one"): series(rows=20, seed=1).to_pandas(),
        ("spec", "cell", "bad"): pd.DataFrame({"Time [s]": [0.0, "x"]}),
        ("spec", "cell", "none"): None,
        ("spec", "cell", "two"): series(rows=20, seed=2),
    }
    jobs.use(studio)
    made = call(
        bulkload.upload, tables, specs={"spec": {"ratings": RATINGS}}, job="job",
        settings=SETTINGS,
    )  # fmt: skip
    outcomes = dict(zip(made["measurement"], made["outcome"], strict=True))
    assert outcomes == {"one": "created", "bad": "rejected", "none": "rejected", "two": "created"}
    assert made.attrs["exit_code"] == 3
    assert made.loc[made["outcome"] == "rejected", "message"].notna().all()


def test_a_run_yields_each_outcome_once(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=3, rows=20)
    (tmp_path / "archive" / "notes.txt").write_text("a misfit")
    jobs.use(studio)

    async def outcomes() -> list[Outcome]:
        return [one async for one in bulkload.run("archive", job="job", settings=SETTINGS)]

    for _ in range(2):
        kinds = sorted((one.kind.value, one.key.measurement) for one in asyncio.run(outcomes()))
        assert kinds == [
            ("created", "run 0"), ("created", "run 1"), ("created", "run 2"), ("rejected", ""),
        ]  # fmt: skip


def test_many_tables_of_a_cell_go_at_once(studio: LocalStudio, call: Call) -> None:
    with bulkload.Studio(studio.api_key, studio.url, studio.project_id) as client:
        spec = client.cell_spec.create({"name": "spec", "ratings": RATINGS})
        cell = client.cell_instance.create(spec.id, {"name": "cell"})
        tables = {
            "one": series(rows=20, seed=1).to_pandas(),
            "bad": pd.DataFrame({"Time [s]": [0.0, 1.0]}),
            "none": None,
            "two": series(rows=20, seed=2),
        }
        told = call(client.upload_many, cell.id, tables)
        assert told["measurement"].tolist() == ["one", "bad", "none", "two"]
        assert told["outcome"].tolist() == ["created", "rejected", "rejected", "created"]
        again = call(client.upload_many, cell.id, {"one": tables["one"]})
        assert again["outcome"].tolist() == ["existing"]
