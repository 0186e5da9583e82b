"""Real servers, one of each for a session; every test gets a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.databases.servers import MariaDB, PostgreSQL, running_mariadb, running_postgresql

_NUMBERS = count()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    with running_mariadb() as server:
        yield server


class PgDatabase:
    """An empty database of PostgreSQL."""

    def __init__(self, server: PostgreSQL, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)

    def run(self, *statements: str) -> None:
        self.server.run(self.name, *statements)


class MyDatabase:
    """An empty database of MariaDB."""

    def __init__(self, server: MariaDB, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)

    def run(self, *statements: str) -> None:
        self.server.run(self.name, *statements)


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> PgDatabase:
    name = f"lab{next(_NUMBERS)}"
    postgresql_server.run("postgres", f"CREATE DATABASE {name}")
    return PgDatabase(postgresql_server, name)


@pytest.fixture
def mariadb(mariadb_server: MariaDB) -> MyDatabase:
    name = f"lab{next(_NUMBERS)}"
    mariadb_server.run(None, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return MyDatabase(mariadb_server, name)
