"""The account of a job as a file, and the proofs that it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs


def test_the_account_lists_every_entry_with_its_last_proof(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=3, rows=20)
    (root / "spec 0" / "cell 0" / "broken.csv").write_text("not a test")
    (root / "notes.txt").write_text("a misfit")
    (root / ".hidden").write_text("")
    jobs.use(studio)
    assert jobs.upload("archive").code == 3
    assert jobs.command("verify", "job", "--all").code == 0
    assert jobs.command("verify", "job", "--all").code == 0
    proofs = sorted((tmp_path / "job").glob("verify-*.json"))
    assert len(proofs) == 2
    kept = json.loads(proofs[-1].read_text("utf-8"))
    assert kept["target"] == {"url": studio.url, "project": studio.project_id}
    assert [one["result"] for one in kept["list"]] == ["equal"] * 3
    for name in ("account.csv", "out.csv", "out.xlsx", "out.jsonl", "out.parquet"):
        path = tmp_path / "job" / name
        if name.startswith("out"):
            ended = jobs.command("account", "job", "--out", path)
            assert (ended.code, ended.out) == (0, f"6 entries written to {path}\n")
        table = read(path)
        assert table["outcome"].value_counts().to_dict() == {
            "created": 3, "rejected": 2, "skipped": 1,
        }, name  # fmt: skip
        made = table[table["outcome"] == "created"]
        assert set(made["verify_result"]) == {"equal"}
        assert set(made["verified"]) == {kept["date"]}
        assert made["measurement_id"].notna().all()
        assert set(made["rows"].astype(int)) == {20}
        assert (made["source_sha256"].str.len() == 64).all()
        other = table[table["outcome"] == "rejected"].set_index("path")
        assert other.loc[str(root / "notes.txt"), "cause"] == "no_layout"
        assert "does not fit the layout" in str(other.loc[str(root / "notes.txt"), "message"])


def read(path: Path) -> pd.DataFrame:
    match path.suffix:
        case ".csv":
            return pd.read_csv(path)
        case ".xlsx":
            return pd.read_excel(path, engine="calamine")
        case ".jsonl":
            return pd.read_json(path, lines=True, dtype=False)
        case _:
            return pd.read_parquet(path)


def test_status_lists_the_entries_of_one_cause(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    archive(root, measurements=5, rows=20)
    for number in range(4):
        (root / f"notes {number}.txt").write_text("a misfit")
    jobs.use(studio)
    assert jobs.upload("archive").code == 3
    ended = jobs.command("status", "job", "--list", "no_layout")
    assert ended.code == 0
    assert [line.split(" does not")[0] for line in ended.out.splitlines()] == [
        f"{root / f'notes {number}.txt'}: 'notes {number}.txt'" for number in range(4)
    ]
    ended = jobs.command("status", "job", "--list", "time_limit")
    assert (ended.code, "its causes: no_layout" in ended.err) == (2, True)
