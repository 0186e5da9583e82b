"""Evidence: a pack is checked when the job folder is gone, and any changed byte is named."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anyio.from_thread import start_blocking_portal

from bulkload.cli import run
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings
from tests.archives import archive, series, write
from tests.jobs import Ended, Jobs, environment_of

FILES = {
    *("MANIFEST.sha256", "about.json", "accepted.csv", "account.csv", "evidence.html"),
    *("measurements.jsonl", "plan.jsonl", "runs.jsonl", "summary.json"),
}


@dataclass(frozen=True)
class Made:
    """A job that every test packs: five measurements, verified, and a rejected file, accepted."""

    folder: Path
    studio: LocalStudio


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The job, its archive and its Studio, made once: packing changes none of them."""
    folder = tmp_path_factory.mktemp("made")
    root = folder / "archive"
    archive(root, measurements=5, rows=20)
    (root / "spec 0" / "cell 0" / "<script>alert(1)<.csv").write_text("not a test\n")
    why = "<b>aborted</b> by hand"
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(
            LocalStudio(StudioSettings(data_dir=folder / "studio"))
        ) as studio,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.chdir(folder)
        for name, value in (environment_of(studio) | {"LOGNAME": "anna"}).items():
            environment.setenv(name, value)
        upload = ["upload", "archive", "--job", "job", "--workers", "1", "--quiet"]
        assert run(upload) == 3
        assert run(["accept", "job", "--cause", "unknown_format", "--reason", why]) == 0
        assert run(upload) == 0
        assert run(["verify", "job", "--all"]) == 0
        yield Made(folder, studio)


@pytest.fixture
def job(jobs: Jobs, made: Made) -> Path:
    """A copy of the job and of its archive, beside which commands run."""
    jobs.use(made.studio)
    for name in ("job", "archive"):
        shutil.copytree(made.folder / name, jobs.folder / name)
    return jobs.folder / "job"


def packed(jobs: Jobs, out: str = "pack.zip") -> str:
    """Write the pack and return its digest."""
    ended = jobs.command("pack", "job", "--out", out)
    assert ended.code == 0, ended.err
    first, last = ended.out.splitlines()
    assert first.endswith(f"files packed into {out}")
    return last.removeprefix("digest: ")


def checked(jobs: Jobs, *words: str) -> Ended:
    return jobs.command("verify", "pack.zip", *words)


def test_a_pack_is_verified_when_the_job_folder_is_gone(
    jobs: Jobs, job: Path, tmp_path: Path
) -> None:
    digest = packed(jobs)
    shutil.rmtree(job)
    ended = checked(jobs)
    assert ended.code == 0, ended.err
    assert ended.out == (
        "the pack is as it was written, if this is the digest that was printed then:\n"
        f"digest: {digest}\n"
        "5 measurements compared with Studio, 100 rows: 0 differences\n"
    )
    ended = checked(jobs, "--sources", "archive")
    assert ended.code == 0
    # The rejected file is one of them: what was judged is what lies there.
    assert ended.out.endswith("6 measurements compared with the files in archive: 0 differences\n")
    # Moved as a whole, a year later.
    (tmp_path / "archive").rename(tmp_path / "attic")
    assert checked(jobs, "--sources", "attic").code == 0
    assert checked(jobs, "--sample", "2").out.endswith(
        "2 of 5 measurements compared with Studio, 40 rows: 0 differences\n"
    )


def test_other_tools_can_check_a_pack(jobs: Jobs, job: Path, tmp_path: Path) -> None:
    digest = packed(jobs)
    with zipfile.ZipFile("pack.zip") as pack:
        assert pack.testzip() is None
        assert {name for name in pack.namelist() if not name.startswith("verify-")} - {
            "report.html"
        } == FILES
        pack.extractall("unpacked")
    manifest = (tmp_path / "unpacked" / "MANIFEST.sha256").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == digest
    ended = subprocess.run(
        ["sha256sum", "--check", "--strict", "MANIFEST.sha256"],
        cwd="unpacked", capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0
    # A pack that was unpacked is a pack.
    unpacked = jobs.command("verify", "unpacked", "--sources", "archive")
    assert unpacked.code == 0
    assert f"digest: {digest}" in unpacked.out


def test_the_same_job_gives_the_same_bytes(jobs: Jobs, job: Path, tmp_path: Path) -> None:
    digest = packed(jobs)
    assert packed(jobs, "again.zip") == digest
    assert Path("pack.zip").read_bytes() == Path("again.zip").read_bytes()
    assert packed(jobs, "folder") == digest
    written = jobs.command("pack", "job", "--out", "pack.zip")
    assert written.code == 2
    assert "a pack is never written over another" in written.err
    assert not list(tmp_path.glob(".pack*"))


def test_any_changed_byte_of_a_pack_is_named(jobs: Jobs, job: Path) -> None:
    packed(jobs)
    whole = Path("pack.zip").read_bytes()
    with zipfile.ZipFile("pack.zip") as pack:
        starts = {one.filename: one.header_offset for one in pack.infolist()}
    # In each file, and all over the zip file's own structure.
    places = {name: start + 30 + len(name) + 3 for name, start in starts.items()}
    for name, at in places.items():
        ended = with_byte(jobs, whole, at)
        assert ended.code == 3, name
        assert name in ended.out
        assert "nothing was compared" in ended.out
    central = len(whole) - 22 - sum(46 + len(name) for name in starts)
    for at in (*range(0, 30, 5), *range(central, len(whole), 17), len(whole) - 1):
        ended = with_byte(jobs, whole, at)
        assert ended.code in (2, 3), at
        assert "compared with Studio" not in ended.out, at
    # More at the end, or less.
    for changed in (whole + b"\0", whole[:-1]):
        Path("pack.zip").write_bytes(changed)
        assert checked(jobs).code in (2, 3)


def with_byte(jobs: Jobs, whole: bytes, at: int) -> Ended:
    changed = bytearray(whole)
    changed[at] ^= 0x01
    Path("pack.zip").write_bytes(changed)
    return checked(jobs)


def test_a_file_that_is_added_removed_or_renamed_is_named(jobs: Jobs, job: Path) -> None:
    packed(jobs, "folder")
    folder = Path("folder")
    (folder / "note.txt").write_text("added")
    (folder / "runs.jsonl").rename(folder / "walks.jsonl")
    ended = jobs.command("verify", "folder")
    assert ended.code == 3
    assert "runs.jsonl is missing from the pack\n" in ended.out
    assert "note.txt is not in the manifest\n" in ended.out
    (folder / "MANIFEST.sha256").write_text("all is well\n")
    assert "MANIFEST.sha256, line 1 is not a hash and a name" in (
        jobs.command("verify", "folder").out
    )


def test_what_changed_in_studio_is_named(jobs: Jobs, job: Path, made: Made) -> None:
    packed(jobs)
    shutil.rmtree(job)
    # One value of one row, in the file that Studio keeps.
    held = sorted(made.studio.settings.data_dir.rglob("*"), key=str)
    changed = next(path for path in held if path.is_file() and is_series(path))
    whole = changed.read_bytes()
    table = pq.read_table(changed)
    values = np.asarray(table["Voltage [V]"]).copy()
    values[7] += 1e-6
    index = table.column_names.index("Voltage [V]")
    pq.write_table(table.set_column(index, "Voltage [V]", pa.array(values)), changed)
    try:
        ended = checked(jobs)
    finally:
        changed.write_bytes(whole)
    assert ended.code == 3
    named = [line for line in ended.out.splitlines() if "Studio has different values" in line]
    assert len(named) == 1, ended.out
    assert named[0].startswith("spec 0 / cell 0 / run ")
    assert ended.out.endswith("5 measurements compared with Studio, 100 rows: 1 difference\n")
    # And a record that is gone.
    record = named[0].partition("(")[2].partition(")")[0]
    rule = FaultRule(kind=FaultKind.STATUS, subject=f"*{record}*", status=404)
    fault = made.studio.faults.add(rule)
    try:
        ended = checked(jobs)
    finally:
        made.studio.faults.remove(fault)
    assert ended.code == 3
    assert f"({record}): Studio no longer has this measurement\n" in ended.out


def is_series(path: Path) -> bool:
    return (
        path.read_bytes()[:4] == b"PAR1"
        and "Voltage [V]" in pq.read_schema(path).names
        and (pq.read_metadata(path).num_rows == 20)
    )


def test_what_changed_in_a_source_is_named(jobs: Jobs, job: Path, tmp_path: Path) -> None:
    packed(jobs)
    cell = tmp_path / "archive" / "spec 0" / "cell 0"
    text = (cell / "run 0.csv").read_text()
    (cell / "run 0.csv").write_text(text.replace("3", "4", 1))
    (cell / "run 1.csv").unlink()
    ended = checked(jobs, "--sources", "archive")
    assert ended.code == 3
    lines = ended.out.splitlines()
    assert any("run 0" in line and "was changed: its SHA-256 was" in line for line in lines)
    assert any("run 1" in line and line.endswith("run 1.csv does not exist") for line in lines)
    assert lines[-1] == "6 measurements compared with the files in archive: 2 differences"


def test_nothing_compared_is_no_success(jobs: Jobs, studio: LocalStudio, tmp_path: Path) -> None:
    write(tmp_path / "archive" / "spec" / "cell" / "bad.csv", series(rows=3))
    (tmp_path / "archive" / "spec" / "cell" / "bad.csv").write_text("not a test\n")
    (tmp_path / "archive" / "spec" / "spec.json").write_text("{}")
    jobs.use(studio)
    assert jobs.upload("archive").code == 3
    packed(jobs)
    ended = checked(jobs)
    assert ended.code == 2
    assert "nothing was compared with Studio" in ended.err
    ended = jobs.command("verify", "job", "--sources", "archive")
    assert (ended.code, "--sources is for a pack" in ended.err) == (2, True)
    Path("no.zip").write_bytes(b"no pack")
    ended = jobs.command("verify", "no.zip")
    assert (ended.code, "cannot be opened as a pack" in ended.err) == (2, True)


def test_the_page_says_in_plain_words_what_happened_and_interprets_nothing(
    jobs: Jobs, job: Path
) -> None:
    packed(jobs, "folder")
    page = Path("folder/evidence.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;.csv" in page
    assert "&lt;b&gt;aborted&lt;/b&gt; by hand" in page
    assert "anna" in page
    assert "6 entries were found there" in page
    assert "were put into Studio by this job" in page
    assert "100 created" in page
    lines = Path("folder/measurements.jsonl").read_text("utf-8").splitlines()
    first = next(one for one in map(json.loads, lines) if one["measurement"] == "run 0")
    assert (first["outcome"], first["rows"]) == ("created", 20)
    assert first["source"] == "spec 0/cell 0/run 0.csv"
    kinds = [
        json.loads(line)["kind"]
        for line in Path("folder/plan.jsonl").read_text("utf-8").splitlines()
    ]
    assert kinds == ["specification", *["measurement"] * 6]
