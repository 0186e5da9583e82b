"""``bulkload verify`` on a migration: what is proved, and what is not, and why."""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest

from bulkload.databases.engines.postgresql import PostgreSQL
from bulkload.databases.engines.urls import parse_url
from bulkload.localstudio import LocalStudio
from tests.databases.conftest import MyDatabase, PgDatabase
from tests.databases.test_migrations import ARBIN, GALV, NEWARE, arbin, galv, neware
from tests.databases.worlds import (
    HOME_MADE,
    PROFILE,
    add_samples,
    battery_archive,
    home_made,
    samples_of,
    write_toml,
)
from tests.jobs import Ended, Jobs

pytestmark = pytest.mark.xdist_group("databases")

FIRST = "SNL_18650_NMC_25C_0-100_0.5-1C_0"


ADDED = (
    "INSERT INTO cycle_timeseries (cell_id, cycle_index, test_time, i, v, component_level) "
    f"VALUES ('{FIRST}', 9, 9000, 1, 4, 'cell')"
)


def proof_of(job: Path) -> list[dict[str, str]]:
    with (job / "migration.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def statuses(job: Path) -> dict[str, int]:
    return dict(Counter(row["status"] for row in proof_of(job)))


@pytest.fixture
def archive(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> tuple[PgDatabase, Ended]:
    """A Battery Archive that was migrated."""
    battery_archive(postgresql)
    jobs.use(studio)
    toml = write_toml(tmp_path, PROFILE.format(url=postgresql.url, further=""))
    return postgresql, jobs.upload(toml)


def test_a_battery_archive_is_proved(
    archive: tuple[PgDatabase, Ended], jobs: Jobs, tmp_path: Path
) -> None:
    job = tmp_path / "job"
    ended = jobs.command("verify", job)
    assert ended.code == 0, ended.out + ended.err
    assert statuses(job) == {"proved": 2, "left_out": 2}
    row = proof_of(job)[0]
    assert row["cell"] == FIRST
    assert row["source_key"] == f"cell_id={FIRST}, component_level=cell"
    assert (row["rows_source_before"], row["rows_read"], row["rows_studio"]) == ("72", "72", "72")
    assert (row["rows_source_after"], row["order_key_distinct"]) == ("72", "72")
    # 36 rows of +1 A and 36 of -1 A; 72 times from 0 to 710 s.
    assert (row["current_isum_source"], row["current_isum_read"]) == ("0", "0")
    assert row["time_isum_source"] == "25560000000"
    assert (row["time_min_studio"], row["time_max_studio"]) == ("0.0", "710.0")
    assert (row["current_factor"], row["voltage_factor"]) == ("-1", "1")
    assert row["digest_sent"] == row["digest_studio"]
    assert row["measurement_id"]
    # The rows of all measurements and of what is left out are those of the table.
    assert sum(int(one["rows_source_before"]) for one in proof_of(job)) == 288

    page = (job / "migration.html").read_text("utf-8")
    _says_what_a_person_signs(page)
    _has_the_query_of_the_figures(page, archive[0], proof_of(job))


def _says_what_a_person_signs(page: str) -> None:
    for text in (
        "Every measurement is proved, or left out by a stated rule.",
        "PostgreSQL",
        "i → Current [A]",
        "positive is charge",
        "runs on through the cycle",
        "SELECT DISTINCT cell_id, component_level FROM cycle_timeseries",
        "checked by",
    ):
        assert text in page


def _has_the_query_of_the_figures(
    page: str, archive: PgDatabase, proof: Sequence[Mapping[str, str]]
) -> None:
    query = unescape(page.rpartition("<pre>")[2].partition("</pre>")[0])
    with closing(PostgreSQL(parse_url(archive.url, Path()))) as database:
        found = database.rows(query)[0]
    last = [row for row in proof if row["status"] == "proved"][-1]
    assert str(found["rows"]) == last["rows_read"]
    assert str(found["v isum"]) == last["voltage_isum_read"]
    assert str(found["test_time isum"]) == last["time_isum_read"]


def test_a_row_that_changed_after_the_snapshot_is_told(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    battery_archive(postgresql, cells=4)
    jobs.use(studio)
    jobs.upload(write_toml(tmp_path, PROFILE.format(url=postgresql.url, further="")))
    row = "(SELECT MIN(index) FROM cycle_timeseries WHERE cell_id LIKE '%_{}')"
    postgresql.run(
        f"UPDATE cycle_timeseries SET v = v + 1e-6 WHERE index = {row.format(1)}",
        f"DELETE FROM cycle_timeseries WHERE index = {row.format(2)}",
        ADDED,
    )
    ended = jobs.command("verify", tmp_path / "job")
    assert ended.code == 3
    assert statuses(tmp_path / "job") == {"proved": 1, "changed_during_read": 3, "left_out": 2}
    rows = [one for one in proof_of(tmp_path / "job") if one["status"] != "left_out"]
    changed = {one["cell"][-1]: one["detail"] for one in rows}
    assert "73 rows in the database, 72 read" in changed["0"]
    assert "v: total" in changed["1"]
    assert "rows in the database" not in changed["1"]
    assert "71 rows in the database, 72 read" in changed["2"]
    assert all(changed[one] in ended.out for one in "012")


def test_a_server_that_is_gone_proves_nothing(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    home_made(tmp_path)
    jobs.use(studio)
    jobs.upload(write_toml(tmp_path, HOME_MADE))
    (tmp_path / "lab2014.db").unlink()
    ended = jobs.command("verify", tmp_path / "job")
    assert ended.code == 3
    assert statuses(tmp_path / "job") == {"not_proved": 2}
    assert "cannot be asked again" in proof_of(tmp_path / "job")[0]["detail"]


def test_a_measurement_that_was_rejected_is_not_proved(
    postgresql: PgDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    battery_archive(postgresql)
    add_samples(postgresql, samples_of(FIRST)[30:31])
    jobs.use(studio)
    toml = write_toml(tmp_path, PROFILE.format(url=postgresql.url, further=""))
    uploaded = jobs.upload(toml)
    assert uploaded.code == 3
    assert jobs.command("verify", tmp_path / "job").code == 3
    assert statuses(tmp_path / "job") == {"proved": 1, "not_proved": 1, "left_out": 2}
    detail = next(one for one in proof_of(tmp_path / "job") if one["status"] == "not_proved")
    assert "share their order key" in detail["detail"]
    page = (tmp_path / "job" / "migration.html").read_text("utf-8")
    assert "The old database must stay." in page
    # Everywhere a person reads of it, it is named by its table and its key.
    job, report = tmp_path / "job", tmp_path / "report.html"
    place = f"{postgresql.url} cycle_timeseries (cell_id={FIRST}, component_level=cell)"
    jobs.command("report", job, "--out", report)
    listed = jobs.command("status", job, "--list", "order_tied").out
    account = (job / "account.csv").read_text("utf-8-sig")
    shown = jobs.command("show", "cycling cell", "--job", job).out
    for text in (uploaded.out, detail["detail"], page, report.read_text("utf-8"), listed, account):
        assert place in unescape(text)
        assert ".sqlm" not in text
    assert place in "".join(shown.split("\n  "))


def test_a_sample_of_measurements_proves_only_itself(
    archive: tuple[PgDatabase, Ended], jobs: Jobs, tmp_path: Path
) -> None:
    ended = jobs.command("verify", tmp_path / "job", "--sample", "1", "--seed", "1")
    assert ended.code == 3
    assert statuses(tmp_path / "job") == {"proved": 1, "not_proved": 1, "left_out": 2}


def test_rows_of_no_measurement_are_a_question_until_they_are_explained(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    path = home_made(tmp_path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE t_0002 SET step = 99 WHERE n > 69")
        database.commit()
    text = HOME_MADE.replace("FROM {table}", "FROM {table} WHERE step < 99")
    jobs.use(studio)
    assert jobs.upload(write_toml(tmp_path, text)).code == 0
    ended = jobs.command("verify", tmp_path / "job")
    assert ended.code == 3
    assert "of the samples, 2 belong to no measurement; list them in" in ended.out
    explained = text.replace('order = ["n"]', 'order = ["n"]\nunclaimed = "rows of step 99"')
    assert jobs.upload(write_toml(tmp_path, explained)).code == 0
    assert jobs.command("verify", tmp_path / "job").code == 0
    assert "rows of step 99" in (tmp_path / "job" / "migration.html").read_text("utf-8")


@pytest.mark.parametrize("shape", ["home-made", "arbin", "galv", "neware", "battery-archive mixed"])
def test_each_shape_is_proved(
    shape: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    jobs.use(studio)
    count = 2
    match shape:
        case "home-made":
            home_made(tmp_path)
            text = HOME_MADE
        case "arbin":
            arbin(tmp_path)
            text, count = ARBIN, 3
        case "galv":
            postgresql: PgDatabase = request.getfixturevalue("postgresql")
            galv(postgresql)
            text, count = GALV.format(url=postgresql.url), 1
        case "neware":
            mariadb: MyDatabase = request.getfixturevalue("mariadb")
            neware(mariadb)
            text = NEWARE.format(url=mariadb.url)
        case _:
            postgresql = request.getfixturevalue("postgresql")
            battery_archive(postgresql)
            text = PROFILE.format(url=postgresql.url, further='read = "one-pass"')
    uploaded = jobs.upload(write_toml(tmp_path, text))
    assert uploaded.code == 0, uploaded.out + uploaded.err
    assert uploaded.counts["created"] == count
    ended = jobs.command("verify", tmp_path / "job")
    assert ended.code == 0, ended.out
    assert statuses(tmp_path / "job")["proved"] == count
