"""Detecting, checking, reading and uploading say the same of every real file."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from bulkload.cli.output.console import counted
from bulkload.errors import UnreadableError
from bulkload.localstudio import LocalStudio
from bulkload.readers import detect, list_members, read
from tests.archives import write_json
from tests.jobs import Jobs

#: Of so many files one is shown: showing reads a file twice more.
SHOWN_STEP = 4

#: Seconds that one pass over all files may take on a busy machine.
PASS_S = 600.0

pytestmark = pytest.mark.timeout(2 * PASS_S)


def files(shared_data: Path) -> dict[str, Path]:
    """Return the files of both sets by the names of their measurements."""
    found = {}
    for folder in ("cycler", "cycler2"):
        for path in sorted((shared_data / folder).glob("*/*")):
            if path.suffix != ".res" or shutil.which("mdb-export") is not None:
                found[f"{folder} {path.name}"] = path.resolve()
    return found


def test_check_and_upload_agree(jobs: Jobs, studio: LocalStudio, shared_data: Path) -> None:
    planned = files(shared_data)
    write_json(jobs.folder / "specs.json", {"name": "any cell", "form_factor": "18650"})
    with (jobs.folder / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["spec", "cell", "measurement", "path"])
        rows.writerows(["any cell", "cell 1", name, path] for name, path in planned.items())
    jobs.use(studio)
    options = ("--specs", "specs.json", "--no-strict")
    checked = jobs.command("check", "plan.csv", *options, "--workers", "2")
    rejected = {
        name
        for name, path in planned.items()
        if any(f"  {path}: " in part for part in _rejections(checked.out))
    }
    uploaded = jobs.upload("plan.csv", *options)
    assert {n for n, row in uploaded.rows.items() if row.state == "rejected"} == rejected
    assert {n for n, row in uploaded.rows.items() if row.state == "ready"} == (
        planned.keys() - rejected
    )
    fit = f"{len(planned) - len(rejected)} of {len(planned)} measurements are fit"
    assert fit in checked.out
    unreadable = {name for name, path in planned.items() if not _is_read_as_detected(path)}
    # What is read may still fail a check; what is not read is rejected.
    assert unreadable <= rejected
    counts = {name: row.rows for name, row in uploaded.rows.items()}
    for name in sorted(planned)[::SHOWN_STEP]:
        shown = jobs.command("show", planned[name], "--no-strict")
        assert shown.code == (3 if name in rejected else 0), shown.out + shown.err
        assert (f"  {counted(counts[name] or 0, 'row')}" in shown.out) == (name not in unreadable)
        assert shown.out.startswith(f"{planned[name]}: {detect(planned[name]).verdict or 'no'}")


def _rejections(text: str) -> list[str]:
    """Return the parts of what ``check`` prints that list rejected files."""
    return re.findall(r"(?m)^rejected: .*\n(?:  .*\n)+", text)


def _is_read_as_detected(path: Path) -> bool:
    """Read a file, hold the reader against what detection says; False where it is refused."""
    found = detect(path)
    assert list_members(path) == ()
    try:
        series = read(path)
    except UnreadableError:
        return False
    assert found.verdict == series.provenance["reader"], path.name
    assert found.candidates[0].evidence.fits
    return True
