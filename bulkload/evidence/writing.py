"""Write a pack: everything that a job can say of itself, with a manifest and a digest over all."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from bulkload.core.pack import FORM, MANIFEST_NAME, digest, manifest_text
from bulkload.core.snapshot import StageName
from bulkload.core.version import VERSION
from bulkload.engine.account import write_account
from bulkload.engine.progress import Progress
from bulkload.errors import SettingsError
from bulkload.evidence.container import Files, sha256_of, write_zip
from bulkload.evidence.page import PAGE_NAME, PackFacts, page
from bulkload.evidence.tables import (
    ACCEPTED_COLUMNS,
    accepted_rows,
    measurements,
    moment,
    plan_lines,
    runs,
)
from bulkload.journal.account import ACCOUNT_NAME, PROOFS
from bulkload.journal.report import SUMMARY_NAME
from bulkload.journal.whole import WholeJob
from bulkload.sources.writers import write_table

MEASUREMENTS_NAME: Final = "measurements.jsonl"
PLAN_NAME: Final = "plan.jsonl"
RUNS_NAME: Final = "runs.jsonl"
ACCEPTED_NAME: Final = "accepted.csv"
ABOUT_NAME: Final = "about.json"
#: Files of a job folder that go into its pack as they are, where they exist.
_AS_THEY_ARE: Final = (SUMMARY_NAME, PROOFS, "migration.csv", "migration.html", "report.html")
#: Packages that decide what is read from a file, and how it is compared.
_PACKAGES: Final = ("numpy", "pandas", "pyarrow", "ionworksdata", "fastnda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A pack that was written."""

    path: Path
    files: int
    digest: str


def write_pack(job_dir: Path, out: Path, progress: Progress) -> Written:
    """Write the pack of a job as a folder, or as one file where ``out`` ends with ``.zip``.

    ``progress`` has the stage ``write``, and counts the files. Raises ``SettingsError`` for a job
    without an upload, and for ``out`` that exists.
    """
    if out.exists():
        raise SettingsError(f"{out} exists: a pack is never written over another; give --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch) / "pack"
        folder.mkdir()
        with WholeJob(job_dir) as whole:
            contents = _contents(whole, job_dir)
            progress.plan_is_complete(len(contents))
            for name, write in contents.items():
                progress.entered(name, StageName.WRITE, name)
                write(folder / name)
                progress.came_out(name, StageName.WRITE, "written")
        hashes = {path.name: _sha256(path) for path in folder.iterdir()}
        manifest = manifest_text(hashes)
        (folder / MANIFEST_NAME).write_text(manifest, "utf-8", newline="\n")
        files = files_of(folder)
        if out.suffix.lower() == ".zip":
            unfinished = Path(scratch) / "pack.zip"
            write_zip(files, unfinished)
            unfinished.replace(out)
        else:
            shutil.move(folder, out)
    return Written(path=out, files=len(files), digest=digest(manifest))


def files_of(folder: Path) -> Files:
    """Return the files of a pack in their order."""
    return [(path.name, path) for path in sorted(folder.iterdir())]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_of(file)


def _contents(whole: WholeJob, job_dir: Path) -> dict[str, Callable[[Path], object]]:
    """Return what writes each file of a pack, by its name."""
    last = whole.first_plan()
    if last is None:
        raise SettingsError(f"{job_dir} has a journal without an upload: nothing to keep")
    settings = last.settings
    about = {
        "form": FORM,
        "job": job_dir.resolve().name,
        "target": {"url": settings["url"], "project": settings["project"]},
        "sources": list(settings.get("sources", [])),
        "missing_parts": [path.name for path in whole.missing],
        "versions": _versions(),
    }
    as_they_are = [path for pattern in _AS_THEY_ARE for path in sorted(job_dir.glob(pattern))]
    return {
        **{path.name: partial(shutil.copyfile, path) for path in as_they_are},
        ACCOUNT_NAME: lambda path: write_account(whole.stores(), job_dir, path),
        ACCEPTED_NAME: lambda path: write_table(path, accepted_rows(whole), ACCEPTED_COLUMNS),
        MEASUREMENTS_NAME: lambda path: _write_lines(path, measurements(whole)),
        PLAN_NAME: lambda path: _write_lines(path, plan_lines(whole)),
        RUNS_NAME: lambda path: _write_lines(path, runs(whole)),
        ABOUT_NAME: lambda path: _write_lines(path, [about]),
        PAGE_NAME: lambda path: path.write_text(
            page(_facts(whole, job_dir, about)), "utf-8", newline="\n"
        ),
    }


def _facts(whole: WholeJob, job_dir: Path, about: Mapping[str, Any]) -> PackFacts:
    last = whole.first_plan()
    assert last is not None
    counts, causes = whole.tally(is_waiting=True)
    target = about["target"]
    proofs = [json.loads(path.read_text("utf-8")) for path in sorted(job_dir.glob(PROOFS))]
    return PackFacts(
        job=about["job"],
        sources=about["sources"],
        target=f"{target['url']}, project {target['project']}",
        ended="a time that is not known" if last.ended_at is None else moment(last.ended_at),
        planned=whole.count_planned(),
        counts=counts,
        causes=dict(causes.most_common()),
        accepted=whole.accepted_causes(),
        acceptances=list(accepted_rows(whole)),
        ledger=whole.row_ledger(is_waiting=True),
        proofs=[(one["statement"], one["date"]) for one in proofs],
        changes=whole.changes(),
        treatments=whole.treatments(),
        versions=about["versions"],
        missing_parts=about["missing_parts"],
    )


def _versions() -> dict[str, str]:
    found = {"bulkload": VERSION, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"system": f"{platform.system()} {platform.machine()}"}


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(_line(row))


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
