"""Passwords come from outside, and are in nothing that bulkload writes."""

from __future__ import annotations

import os
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from bulkload.databases.configuration import load_configuration, parse_configuration
from bulkload.databases.engines.base import DatabaseLostError
from bulkload.databases.engines.urls import mask, parse_url
from bulkload.databases.session import open_own
from bulkload.errors import PlanError
from bulkload.localstudio import LocalStudio
from tests.databases.conftest import MyDatabase
from tests.databases.test_silent_changes import toml
from tests.databases.worlds import HOME_MADE, home_made, write_toml
from tests.jobs import Jobs

pytestmark = pytest.mark.xdist_group("databases")

SECRET = "correct-horse-battery"
TABLE = "CREATE TABLE samples (cell varchar(20), n int, t int, v double, i double)"


def user_with_password(database: MyDatabase) -> str:
    name = f"reader_{database.name}"
    database.run(
        TABLE,
        "INSERT INTO samples VALUES ('a', 1, 0, 3.5, 0.5), ('a', 2, 1, 3.4, 0.5)",
        f"CREATE USER {name}@'%' IDENTIFIED BY '{SECRET}'",
        f"GRANT SELECT ON {database.name}.* TO {name}@'%'",
    )
    return f"mysql://{name}@127.0.0.1:{database.server.port}/{database.name}"


def written(folder: Path) -> bytes:
    """Return everything below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_environment_gives_the_password(
    mariadb: MyDatabase,
    jobs: Jobs,
    studio: LocalStudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = toml(tmp_path, user_with_password(mariadb))
    jobs.use(studio)
    refused = jobs.upload(path)
    assert refused.code == 2
    assert "Access denied" in refused.err
    monkeypatch.setenv("BULKLOAD_SQL_PASSWORD", SECRET)
    ended = jobs.upload(path)
    assert ended.code == 0, ended.out + ended.err
    jobs.command("verify", tmp_path / "job")
    assert SECRET.encode() not in written(tmp_path / "job")
    assert SECRET not in ended.out + ended.err


def test_a_password_in_the_url_is_taken_masked_and_warned_about(
    mariadb: MyDatabase, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    url = user_with_password(mariadb)
    path = toml(tmp_path, url.replace("@127", f":{SECRET}@127"))
    jobs.use(studio)
    ended = jobs.upload(path)
    assert ended.code == 0, ended.out + ended.err
    assert "the URL holds a password" in ended.out
    assert "BULKLOAD_SQL_PASSWORD" in ended.out
    jobs.command("verify", tmp_path / "job")
    assert SECRET.encode() not in written(tmp_path / "job")
    assert SECRET not in ended.out + ended.err


def test_a_wrong_password_is_not_in_the_error(mariadb: MyDatabase, tmp_path: Path) -> None:
    url = user_with_password(mariadb).replace("@127", ":wrong-horse@127")
    with pytest.raises(PlanError) as error:
        open_own(parse_url(url, tmp_path))
    assert "wrong-horse" not in str(error.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_out_of_reach_is_told_without_the_password(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseLostError) as error:
        open_own(parse_url(f"{scheme}://me:{SECRET}@127.0.0.1:1/lab", tmp_path))
    assert SECRET not in str(error.value)
    assert "me@127.0.0.1" in str(error.value)


def test_nothing_shows_a_password(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@host/lab?sslmode=require&password={SECRET}"
    parsed = parse_url(url, tmp_path)
    assert parsed.masked == "postgresql://me@host/lab?sslmode=require"
    assert parsed.password == SECRET
    for text in (repr(parsed), str(parsed), mask(url), mask(f"cannot open {url}: no")):
        assert SECRET not in text


def test_a_mistake_in_the_toml_does_not_print_its_password(tmp_path: Path) -> None:
    table = {"url": f"postgresql://me:{SECRET}@host/lab", "profile": "battery-archive", "x": 1}
    with pytest.raises(PlanError) as error:
        parse_configuration(table, tmp_path, where="bulkload.toml")
    assert SECRET not in str(error.value)
    assert "source.sql.x" in str(error.value)


def test_the_configuration_does_not_show_its_url(tmp_path: Path) -> None:
    text = HOME_MADE.replace("sqlite:///lab2014.db", f"postgresql://me:{SECRET}@host/lab")
    source = load_configuration(write_toml(tmp_path, text))
    assert SECRET not in repr(source)
    again = HOME_MADE.replace("sqlite:///lab2014.db", "postgresql://me:other@host/lab")
    assert source.digest() == load_configuration(write_toml(tmp_path, again)).digest()


def test_what_lets_workers_in_is_for_the_owner_alone(tmp_path: Path) -> None:
    from bulkload.databases.planning import Planner
    from bulkload.databases.run_databases import Databases

    home_made(tmp_path)
    path = write_toml(tmp_path, HOME_MADE)
    with Databases(tmp_path / "job") as databases:
        session = databases.open(load_configuration(path), "source")
        list(Planner(session, path).plan())
        if os.name == "posix":
            assert (session.folder / "session.json").stat().st_mode & 0o077 == 0
    assert not (session.folder / "session.json").exists()


class Keyring(keyring.backend.KeyringBackend):  # type: ignore[misc]
    """Holds passwords in memory."""

    priority = 1.0

    def __init__(self, held: dict[tuple[str, str], str]) -> None:
        self.held = held

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


def test_a_keyring_gives_the_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BULKLOAD_SQL_PASSWORD", raising=False)
    before = keyring.get_keyring()
    url = parse_url("postgresql://reader@db.lab/tests", tmp_path)
    try:
        keyring.set_keyring(Keyring({("bulkload", "postgresql://reader@db.lab/tests"): SECRET}))
        assert url.password == SECRET
        assert SECRET not in repr(url)
        # The environment goes first.
        monkeypatch.setenv("BULKLOAD_SQL_PASSWORD", "other")
        assert url.password == "other"
        monkeypatch.delenv("BULKLOAD_SQL_PASSWORD")
        # A machine without a keyring asks the server without a password.
        keyring.set_keyring(keyring.backends.fail.Keyring())
        assert url.password is None
    finally:
        keyring.set_keyring(before)
