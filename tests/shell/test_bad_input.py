"""Bad input, each kind in one archive with good files: it costs itself, and says why.

All but the last tests look at one run. A kind that can be read right is; every other ends as
one ``rejected`` whose sentence names the file and helps; the good files beside it arrive.
"""

from __future__ import annotations

import csv
import ctypes
import gzip
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from anyio.from_thread import start_blocking_portal

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import PrepareTask, Rejected
from bulkload.core.terms import JobKey
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings
from bulkload.sources.stamp import quick_stamp
from bulkload.worker.prepare import prepare
from tests.archives import archive, series, specification, sums, write
from tests.jobs import Ended, Jobs, running, until
from tests.official import Held, Judge, judge_of

# Most look at one upload: a process of its own would upload the files once more.
pytestmark = pytest.mark.xdist_group("bad input")

TABLE = series(rows=60)
NAMES = TABLE.column_names


def text(table: pa.Table = TABLE, delimiter: str = ",") -> str:
    """Return a table as CSV."""
    sink = io.BytesIO()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(delimiter=delimiter, quoting_style="none"))
    return sink.getvalue().decode()


def replaced(name: str, value: object) -> bytes:
    """Return a CSV whose column holds ``value`` in its row 30."""
    columns = {one: [str(cell) for cell in TABLE.column(one).to_pylist()] for one in NAMES}
    columns[name][30] = str(value)
    return text(pa.table(columns)).encode()


#: File -> its content, and words of the sentence that refuses it.
REFUSED: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty file.csv": (b"", ("empty",)),
    "header only.csv": (text().splitlines(keepends=True)[0].encode(), ("no rows", "no data")),
    "truncated gzip.csv.gz": (gzip.compress(text().encode())[:-200], ("gzip", "copy")),
    "wrong delimiter.csv": (text().replace(",", "~").encode(), ("format", "delimiter")),
    "two delimiters.csv": (
        text().replace(",", ";").replace(";", ",", 3).encode(),
        ("row", "line", "column", "field"),
    ),
    "decimal commas between commas.csv": (
        text().replace(".", ",").replace("[A,h]", "[A.h]").encode(),
        ("row", "line", "column", "field"),
    ),
    "infinity.csv": (replaced("Current [A]", "inf"), ("finite", "inf")),
    "infinite voltage.csv": (replaced("Voltage [V]", "inf"), ("infinite",)),
    "another\nline.csv": (text().encode(), ("character",)),
    "not a number.csv": (replaced("Time [s]", "NaN"), ("Time [s]",)),
    "a word.csv": (replaced("Voltage [V]", "overflow"), ("overflow", "Voltage [V]")),
    "binary.csv": (np.random.default_rng(1).bytes(50_000), ("text", "binary")),
    "nul bytes.csv": (text().encode() + b"\0" * 4096, ("text", "binary", "NUL", "zero")),
    "one line of 10 MB.csv": (b"1.5," * 2_500_000, ("line", "format", "header")),
    "a column twice.csv": (
        text().replace("Voltage [V]", "Current [A]", 1).encode(),
        ("twice", "Current [A]"),
    ),
    "half a parquet.parquet": (b"PAR1" + b"\0" * 500, ("Parquet",)),
    "a page of HTML.csv": (b"<!DOCTYPE html><html><body>Log in</body></html>", ("HTML page",)),
}

#: File -> its content. All hold the same table, and are read right.
READ: dict[str, bytes] = {
    "utf-16.csv": text().encode("utf-16"),
    "utf-16 without a mark.csv": text().encode("utf-16-le"),
    "byte order mark.csv": text().encode("utf-8-sig"),
    "decimal commas.csv": text(delimiter=";").replace(".", ",").replace("[A,h]", "[A.h]").encode(),
    "semicolons.csv": text(delimiter=";").encode(),
    "tabs.csv": text(delimiter="\t").encode(),
    "carriage returns.csv": text().replace("\n", "\r\n").encode(),
    "gzip.csv.gz": gzip.compress(text().encode()),
    "quote \" and ' here.csv": text().encode(),
    "emoji 🔋.csv": text().encode(),
    "x" * 246 + ".csv": text().encode(),
    "[bold red]markup[bold].csv": text().encode(),
    "% s {brace} $HOME.csv": text().encode(),
}
#: Its name cannot be one in Studio: a manifest gives another.
NEWLINE = "a new\nline.csv"


@dataclass(frozen=True)
class Uploaded:
    """One upload of everything, and what became of it."""

    ended: Ended
    held: dict[str, Held]
    judge: Judge
    good: dict[str, pa.Table]

    def arrived(self, name: str) -> pa.Table:
        return self.judge.time_series(self.held[name].id)


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploaded]:
    folder = tmp_path_factory.mktemp("bad")
    root = folder / "archive"
    made = archive(root, cells=3, measurements=2)
    bad = root / "spec 0" / "cell 1"
    for name, (content, _) in REFUSED.items():
        (bad / name).write_bytes(content)
    for name, content in READ.items():
        (bad / name).write_bytes(content)
    specification(folder / "more", name="more")
    (folder / "more" / NEWLINE).write_bytes(text().encode())
    with (folder / "more" / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["spec", "cell", "measurement", "path"])
        rows.writerow(["more", "cell 0", "newline", NEWLINE])
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        studio = LocalStudio(StudioSettings(data_dir=folder / "studio"))
        stack.enter_context(portal.wrap_async_context_manager(studio))
        words = ["upload", "archive", "more/plan.csv", "--job", "job"]
        ended = stack.enter_context(running(words, folder=folder, studio=studio)).wait(100)
        assert ended.code == 3, ended.out + ended.err
        judge = stack.enter_context(judge_of(studio))
        held = {one.key[2]: one for one in judge.by_key().values() if one.key[1] == "cell 1"}
        held |= {one.key[2]: one for one in judge.by_key().values() if one.key[0] == "more"}
        good = {"/".join(key): table for key, table in made.items()}
        yield Uploaded(ended, held, judge, good)


def test_the_run_goes_on_and_its_sums_add_up(uploaded: Uploaded) -> None:
    summary = uploaded.ended.summary
    assert sum(summary["counts"].values()) == summary["planned"]
    assert uploaded.ended.counts == {
        "created": len(uploaded.good) + len(READ) + 1,
        "rejected": len(REFUSED),
    }
    assert sum(summary["causes"].values()) == len(REFUSED)
    held = {"/".join(key): one for key, one in uploaded.judge.by_key().items()}
    for name, table in uploaded.good.items():
        assert sums(uploaded.judge.time_series(held[name].id)) == sums(table)


def test_no_name_or_content_reaches_the_terminal_unescaped(uploaded: Uploaded) -> None:
    said = uploaded.ended.out + uploaded.ended.err
    assert not {char for char in said if not char.isprintable()} - {"\n"}
    assert "Traceback" not in said


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_rejected_once_with_a_sentence_that_helps(name: str, uploaded: Uploaded) -> None:
    row = next(row for row in job_rows_of(uploaded) if Path(row.path).name == name)
    assert row.state == "rejected", row.message
    assert row.cause not in {"", "reader_failed", "reader_died"}, row.message
    assert name in row.message
    words = REFUSED[name][1]
    assert any(word in row.message.replace(name, "") for word in words), row.message
    assert len(row.message) < 1000
    assert row.measurement not in uploaded.held


@pytest.mark.parametrize("name", [*READ, NEWLINE], ids=lambda name: name[:20])
def test_it_is_read_right(name: str, uploaded: Uploaded) -> None:
    row = next(row for row in job_rows_of(uploaded) if Path(row.path).name == name)
    assert row.state == "ready", row.message
    table = uploaded.arrived(row.measurement)
    assert table.num_rows == TABLE.num_rows
    assert sums(table) == pytest.approx(sums(TABLE), rel=1e-12)


def job_rows_of(uploaded: Uploaded) -> list[Any]:
    return list(uploaded.ended.rows.values())


# What happens to a file between plan and read -------------------------------------------------


def upload_after(act: Callable[[], object], studio: LocalStudio, folder: Path) -> Ended:
    """Upload, and have something happen when the plan is written and no file is read yet."""
    late = FaultRule(kind=FaultKind.LATENCY, endpoint="spec.list", seconds=1.0)
    looking = studio.faults.add(late)
    with running(["upload", "archive", "--job", "job"], folder=folder, studio=studio) as started:
        until(lambda: looking.struck > 0, "the first look at the cell, before any file is read")
        act()
        return started.wait()


def test_a_file_that_vanishes_after_the_plan_costs_itself(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    victim = tmp_path / "archive" / "spec 0" / "cell 0" / "run 1.csv"
    ended = upload_after(victim.unlink, studio, tmp_path)
    assert ended.code == 3
    assert ended.counts == {"created": 2, "rejected": 1}
    assert "run 1.csv" in ended.rows["run 1"].message
    assert "does not exist any more" in ended.rows["run 1"].message


def test_a_file_that_grows_after_the_plan_arrives_as_it_was_when_read(
    studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    grown = tmp_path / "archive" / "spec 0" / "cell 0" / "run 1.csv"
    table = series(rows=90, seed=7)
    ended = upload_after(lambda: write(grown, table), studio, tmp_path)
    assert ended.code == 0
    assert ended.rows["run 1"].rows == 90
    with judge_of(studio) as judge:
        held = judge.by_key()["spec 0", "cell 0", "run 1"]
        assert sums(judge.time_series(held.id)) == sums(table)


def test_a_file_that_grows_while_it_is_read_is_refused(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=2)
    growing = write(tmp_path / "archive/spec 0/cell 0/run 0.csv", series(rows=50_000))
    line = growing.read_bytes().splitlines(keepends=True)[-1]
    jobs.use(studio)
    with growing_file(growing, line):
        ended = jobs.upload("archive")
    assert ended.code == 3
    assert ended.counts == {"created": 1, "rejected": 1}
    row = ended.rows["run 0"]
    assert row.cause == "source_changing"
    assert "run 0.csv" in row.message
    assert "changed while it was read" in row.message
    # Once nobody writes to it any more, the same command brings it in.
    write(growing, series(rows=40))
    assert jobs.upload("archive").counts == {"created": 2}


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX")
def test_a_file_without_permission_costs_itself(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=3)
    locked = tmp_path / "archive" / "spec 0" / "cell 0" / "run 1.csv"
    locked.chmod(0)
    words = ["upload", "archive", "--job", "job"]
    options: dict[str, Any] = {"preexec_fn": obey_modes} if os.geteuid() == 0 else {}
    with running(words, folder=tmp_path, studio=studio, **options) as started:
        ended = started.wait()
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 2, "rejected": 1}
    message = ended.rows["run 1"].message
    assert "run 1.csv" in message
    assert "no permission to read it; grant read access" in message
    # Its bytes were never the reason: with the right given, the same command brings it in.
    locked.chmod(0o644)
    with running(words, folder=tmp_path, studio=studio) as started:
        assert started.wait().counts == {"created": 3}


def test_a_package_that_is_missing_is_named_and_the_same_command_goes_on_once_it_is_there(
    studio: LocalStudio, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification(tmp_path / "archive" / "spec")
    binary = shared_data / "cycler" / "neware" / "nw4-120-1-6-53.ndax"
    cell = tmp_path / "archive" / "spec" / "cell"
    cell.mkdir()
    (cell / binary.name).write_bytes(binary.read_bytes())
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDE_PACKAGES, "utf-8")
    words = ["upload", "archive", "--job", "job", "--no-strict"]
    paths = [str(tmp_path / "hidden"), *filter(None, [os.environ.get("PYTHONPATH")])]
    hidden = {"PYTHONPATH": os.pathsep.join(paths)}
    with running(words, folder=tmp_path, studio=studio, environment=hidden) as started:
        ended = started.wait()
    assert ended.code == 3
    (row,) = ended.rows.values()
    assert row.cause == "missing_extra"
    assert "pip install 'bulkload[cyclers]'" in row.message
    assert binary.name in row.message
    with running(words, folder=tmp_path, studio=studio) as started:
        assert started.wait().counts == {"created": 1}


#: Loaded by each Python process that starts with its folder on the path: the extras are not there.
HIDE_PACKAGES = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"fastnda", "ionworksdata"}:
            raise ImportError(name)

sys.meta_path.insert(0, Hidden())
"""


def obey_modes() -> None:
    """Take from the superuser, before the command starts, the right to pass over modes."""
    drop_bounding, dac_override, dac_read_search = 24, 1, 2
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (dac_override, dac_read_search):
        if libc.prctl(drop_bounding, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the right to pass over modes stays")


class growing_file:  # noqa: N801  (reads as a phrase where it is used)
    """A file to which something else writes without pause for the length of a block."""

    def __init__(self, path: Path, line: bytes) -> None:
        self._path = path
        self._line = line
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _write(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            while not self._is_over.wait(0.001):
                file.write(self._line)


def test_what_is_written_to_a_file_while_it_is_refused_is_read_by_the_next_run(
    tmp_path: Path,
) -> None:
    """The stamp that a rejection keeps is that of the bytes that were read."""
    path = tmp_path / "run.csv"
    path.write_bytes(text().splitlines(keepends=True)[0].encode())
    seen = quick_stamp(path)
    job = UploadJob(key=JobKey("spec", "cell", "run"), path=str(path))
    answer = prepare(PrepareTask(job=job, checks=Checks(), spool_path=None))
    assert isinstance(answer, Rejected)
    write(path, TABLE)
    assert answer.source is not None
    assert (answer.source.size_bytes, answer.source.mtime_ns) == seen != quick_stamp(path)
