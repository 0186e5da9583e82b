"""The scripts run, in a tiny form: what they measure is looked at by people, on a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from ionworks.validators import validate_measurement_data

from bulkload.core import terms
from scripts.make_archive import CAPACITY, VOLTAGE_WINDOW, ArchiveSize, write_archive
from scripts.make_lifelike_archive import make as make_lifelike
from scripts.structure import measure

#: Seconds that a script may take on a machine that is busy with other things.
LIMIT_S = 600

pytestmark = pytest.mark.timeout(LIMIT_S + 30)

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def run_script(name: str, *words: str) -> str:
    command = [sys.executable, str(SCRIPTS / name), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


@pytest.mark.parametrize(
    ("rows", "steps"), [(24, 4), (1000, 7), (20_000, 200)], ids=["tiny", "uneven", "full"]
)
def test_the_archive_is_plausible_to_the_vendor(tmp_path: Path, rows: int, steps: int) -> None:
    size = ArchiveSize(cells=2, measurements=2, rows=rows, steps=steps)
    write_archive(tmp_path / "archive", size)
    paths = sorted((tmp_path / "archive").glob("*/*/*.csv"))
    assert len(paths) == size.files
    assert len({path.read_bytes() for path in paths}) == size.files
    for path in paths:
        table = pl.read_csv(path, infer_schema_length=None)
        validate_measurement_data(
            table, strict=True, rated_capacity=CAPACITY, voltage_window=VOLTAGE_WINDOW
        )
        assert table.height == rows
        assert table[terms.STEP_COUNT].n_unique() == steps


def test_an_archive_of_steps_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too few"):
        write_archive(tmp_path / "a", ArchiveSize(cells=1, measurements=1, rows=30, steps=10))


def test_make_archive_says_what_it_made(tmp_path: Path) -> None:
    words = ("--cells", "1", "--measurements", "2", "--rows", "40", "--steps", "4")
    said = run_script("make_archive.py", str(tmp_path / "archive"), *words)
    assert said.startswith("2 measurements of 40 rows")


@pytest.mark.parametrize(("bench", "lines"), [("upload", 3), ("cpu", 5), ("memory", 1)])
def test_a_bench_gives_a_table_and_its_figures(tmp_path: Path, bench: str, lines: int) -> None:
    said = run_script("bench.py", "--quick", "--only", bench, "--json", str(tmp_path / "f.json"))
    table = [line for line in said.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + lines
    figures = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert set(figures) == {"cores", "quick", bench}


def test_structure_counts_rooms_arrows_circles_and_code(tmp_path: Path) -> None:
    package = tmp_path / "bulkload"
    (package / "one").mkdir(parents=True)
    (package / "two").mkdir()
    (package / "__init__.py").write_text('"""Nothing."""\n')
    (package / "one" / "a.py").write_text(
        '"""A."""\n\nfrom bulkload.two import b\n\n\ndef f() -> int:\n'
        '    """Return it."""\n    # Why.\n    return b.N\n'
    )
    (package / "two" / "b.py").write_text("from bulkload.one import a\n\nN = 1\n")
    found = measure(tmp_path)
    assert (found.rooms, found.arrows, found.modules) == (3, 2, 3)
    assert found.circles == ("one - two",)
    assert (found.longest_lines, found.longest_name) == (3, "one/a.f")
    assert found.code_lines == 5


@pytest.mark.xdist_group("databases")
def test_migrations_are_measured_beside_plain_reads() -> None:
    said = run_script("bench_databases.py", "--rows", "8000", "--tests", "2")
    for words in ("migration / COPY", "proof / COPY", "one pass / clustered", "SQLite", "MariaDB"):
        assert words in said


def test_the_intake_is_measured(tmp_path: Path) -> None:
    said = run_script("bench_intake.py", "--quick", "--json", str(tmp_path / "f.json"))
    assert "| planning 200 files |" in said
    figures = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert len(figures) == 12
    assert all(figure["value"] >= 0 for figure in figures)


def test_the_lifelike_archive_is_the_same_for_the_same_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither takes real files.
    monkeypatch.delenv("BULKLOAD_SHARED_DATA", raising=False)
    words = ("--cells", "8", "--seed", "5")
    run_script("make_lifelike_archive.py", str(tmp_path / "one"), *words)
    make_lifelike(tmp_path / "two", data=None, cells=8, seed=5)
    first, second = ((tmp_path / name / "truth.json").read_text("utf-8") for name in ("one", "two"))
    assert first == second
