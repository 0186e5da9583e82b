"""The records of the local Studio in SQLite: what may be asked of it, each statement by name.

All calls are short and run on the event loop's thread: a point query costs less than handing
it to another thread would. Writes are committed in groups: what the requests of one turn of the
loop wrote becomes durable together on the next, and no answer leaves before (`settled`).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from bulkload.errors import SettingsError
from bulkload.localstudio.studio_settings import ADDRESS_FILE

DATABASE_NAME: Final = "studio.sqlite"


class StoredRecord(NamedTuple):
    """One row: a project, a specification, an instance, a measurement, ..."""

    id: str
    kind: str
    scope: str
    project: str
    name: str
    name_key: str | None
    ref: str | None
    start_time: str | None
    status: str | None
    error: str | None
    created_at: str
    updated_at: str
    body: str

    @property
    def fields(self) -> dict[str, Any]:
        """What the client gave, as a new dict."""
        return json.loads(self.body)  # type: ignore[no-any-return]


class Upload(NamedTuple):
    """An upload that was initiated and is not yet confirmed."""

    id: str
    kind: str
    scope: str
    name_key: str | None
    #: Seconds since the epoch.
    created_at: float
    body: str

    @property
    def fields(self) -> dict[str, Any]:
        """What initiate was given, as a new dict."""
        return json.loads(self.body)  # type: ignore[no-any-return]


class NameTakenError(Exception):
    """The name is in use within its scope, by the record with this id."""

    def __init__(self, existing_id: str) -> None:
        super().__init__(existing_id)
        self.existing_id = existing_id


def _holder_of(data_dir: Path) -> str:
    """Return who holds a data folder, as its address file says, and what to do."""
    try:
        process_id = int(json.loads((data_dir / ADDRESS_FILE).read_text("utf-8"))["process_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another Studio uses it; end that one, or give another folder"
    return (
        f"it is in use by the Studio with the process id {process_id}; end that one, or give "
        "another folder"
    )


class RecordStore:
    """All records and open uploads of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        #: Done when the writes of this turn are durable; None while there are none.
        self._group: asyncio.Future[None] | None = None
        path = data_dir / DATABASE_NAME
        self._connection = sqlite3.connect(
            path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.executescript(_SQL["schema"])
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise SettingsError(
                f"{path} cannot be opened ({error}): {_holder_of(data_dir)}"
            ) from error
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise SettingsError(f"{path} is not the database of a local Studio: {error}") from error

    def close(self) -> None:
        """Commit what is open and let go of the file."""
        if self._group is not None:
            self._commit(self._group)
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Tie writes together: all or none."""
        self._join_group()
        self._connection.execute("SAVEPOINT together")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO together")
            raise
        finally:
            self._connection.execute("RELEASE together")

    async def settled(self) -> None:
        """Wait until all that was written so far is durable."""
        if self._group is not None:
            await asyncio.shield(self._group)

    def _join_group(self) -> None:
        if self._group is None:
            self._connection.execute("BEGIN IMMEDIATE")
            loop = asyncio.get_running_loop()
            self._group = loop.create_future()
            loop.call_soon(self._commit, self._group)

    def _commit(self, group: asyncio.Future[None]) -> None:
        if self._group is not group:
            return
        self._group = None
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._connection.execute("ROLLBACK")
            group.set_exception(error)
        else:
            group.set_result(None)

    def fact(self, name: str, value: str) -> str:
        """Return what is known under this name, after noting ``value`` where nothing was."""
        self._write("fact_set", (name, value))
        found: str = self._one("fact_get", (name,))[0]
        return found

    def insert(self, record: StoredRecord) -> None:
        """Add a record, or raise `NameTakenError`."""
        try:
            self._write("record_insert", record)
        except sqlite3.IntegrityError as error:
            found = self.find(record.kind, record.scope, record.name_key)
            raise NameTakenError(found or record.id) from error

    def get(self, kind: str, record_id: str) -> StoredRecord | None:
        """Return one record, None for an unknown kind or id."""
        row = self._run("record_get", (record_id, kind)).fetchone()
        return None if row is None else StoredRecord._make(row)

    def find(self, kind: str, scope: str, name_key: str | None) -> str | None:
        """Return the id of the record of this name."""
        row = self._run("record_find", (kind, scope, name_key)).fetchone()
        return None if row is None else row[0]

    def update(self, record: StoredRecord) -> None:
        """Write back the fields that a client may change, or raise `NameTakenError`."""
        values = (
            record.name,
            record.name_key,
            record.ref,
            record.start_time,
            record.updated_at,
            record.body,
            record.id,
        )
        try:
            self._write("record_update", values)
        except sqlite3.IntegrityError as error:
            found = self.find(record.kind, record.scope, record.name_key)
            raise NameTakenError(found or record.id) from error

    def set_status(self, record_id: str, status: str, error: str | None, now: str) -> None:
        """Note where processing stands."""
        self._write("record_status", (status, error, now, record_id))

    def unsettled(self) -> list[StoredRecord]:
        """Return what was waiting or running when the Studio went down."""
        return [StoredRecord._make(row) for row in self._run("record_unsettled", ())]

    def delete_tree(self, record_id: str) -> list[tuple[str, str]]:
        """Delete a record and all below it; return (id, kind) of each that went."""
        tree: list[tuple[str, str]] = self._run("record_tree", (record_id,)).fetchall()
        with self.transaction():
            for gone, _ in tree:
                for statement in ("record_delete", "record_unlink", "link_delete_either"):
                    self._write(statement, (gone,))
        return tree

    def children(self, scope: str, kind: str) -> list[str]:
        """Return the ids below a record, oldest first."""
        return [row[0] for row in self._run("children", (scope, kind))]

    def ref_count(self, record_id: str) -> int:
        """Count the records that point to this one."""
        count: int = self._one("ref_count", (record_id,))[0]
        return count

    def runs_on_channel(self, channel_id: str, but: str) -> list[StoredRecord]:
        """Return the measurements on a channel, without one of them."""
        return [StoredRecord._make(row) for row in self._run("runs_on_channel", (channel_id, but))]

    def page(
        self, where: str, values: Sequence[Any], order: str, limit: int, offset: int
    ) -> tuple[list[StoredRecord], int]:
        """Return one page of records and the number of all matches.

        ``where`` and ``order`` are built by `listing` from fixed words; values are bound.
        """
        columns = ", ".join(StoredRecord._fields)
        rows = self._connection.execute(
            f"SELECT {columns} FROM record WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            (*values, limit, offset),
        ).fetchall()
        if offset == 0 and len(rows) < limit:
            total = len(rows)
        else:
            total = self._connection.execute(
                f"SELECT COUNT(*) FROM record WHERE {where}",  # noqa: S608
                tuple(values),
            ).fetchone()[0]
        return [StoredRecord._make(row) for row in rows], total

    def tags(self, project: str, pattern: str, limit: int) -> list[tuple[str, int]]:
        """Return the tags of a project with their use, most used first."""
        return self._run("tags_of_project", (project, pattern, limit)).fetchall()

    def tag_spelling(self, project: str, tag: str) -> str:
        """Return how the project spells a tag: as it was first used, whatever the case since."""
        key = tag.casefold()
        self._write("tag_insert", (project, key, tag))
        spelling: str = self._one("tag_get", (project, key))[0]
        return spelling

    def open_upload(self, upload: Upload) -> None:
        """Note an initiated upload."""
        self._write("upload_insert", upload)

    def upload(self, kind: str, upload_id: str, oldest: float = 0.0) -> Upload | None:
        """Return an open upload, unless it was initiated before ``oldest`` (epoch seconds)."""
        row = self._run("upload_get", (upload_id, kind)).fetchone()
        found = None if row is None else Upload._make(row)
        return None if found is None or found.created_at < oldest else found

    def close_upload(self, kind: str, upload_id: str) -> None:
        """Forget an open upload."""
        self._write("upload_delete", (upload_id, kind))

    def expired_uploads(self, before: float) -> list[Upload]:
        """Return the open uploads initiated before this moment (seconds since the epoch)."""
        return [Upload._make(row) for row in self._run("upload_expired", (before,))]

    def link(self, measurement: str, raw_ids: Sequence[str]) -> None:
        """Link raw files to a measurement; linking twice is harmless."""
        with self.transaction():
            for raw in raw_ids:
                self._write("link_insert", (measurement, raw))

    def unlink(self, measurement: str, raw: str) -> None:
        """Take back a link."""
        self._write("link_delete", (measurement, raw))

    def linked_measurements(self, raw: str) -> list[str]:
        """Return the ids of the measurements that a raw file is linked to."""
        return [row[0] for row in self._run("link_measurements", (raw,))]

    def _run(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        return self._connection.execute(_SQL[statement], values)

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        self._join_group()
        self._connection.execute(_SQL[statement], values)

    def _one(self, statement: str, values: Sequence[Any]) -> Any:
        return self._run(statement, values).fetchone()


def _load_statements() -> Mapping[str, str]:
    text = files(__package__).joinpath("queries.sql").read_text("utf-8")
    parts = text.split("-- name: ")[1:]
    return {name.strip(): sql.strip() for name, _, sql in (part.partition("\n") for part in parts)}


_SQL: Final = _load_statements()
