"""One process that holds a database's session and reads for all others, one query at a time.

For engines whose snapshot cannot be shared. The process listens on loopback; who may ask proves
it by a key that lives as long as the session. Answers are Arrow batches as they come from the
database, so that nothing is kept whole; a query that breaks raises the error that it was,
never as an end. When the parent goes away, standard input ends and the process with it.

::

    parent ── pickled URL, key ──► stdin        stdout ──► address
    client ── (kind, sql, types) ──►    ◄── batch ... batch, end | error
"""

from __future__ import annotations

import os
import pickle
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

import pyarrow as pa

from bulkload.databases.engines.base import DatabaseLostError, ValueKind
from bulkload.databases.engines.mysql import Connection
from bulkload.databases.engines.urls import DatabaseUrl
from bulkload.errors import BulkloadError

#: Length of the key, in bytes.
KEY_BYTES: Final = 32
_PYTHON: Final = (sys.executable, "-m", "bulkload.databases.engines.serial")


class SerialServer:
    """The process, as its parent sees it."""

    def __init__(self, url: DatabaseUrl) -> None:
        """Start the process; raises what connecting raises."""
        self.key = secrets.token_bytes(KEY_BYTES)
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _PYTHON, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((url, self.key), self._process.stdin)
            self._process.stdin.flush()
            # Our own child, over our own pipe.
            answer = pickle.load(self._process.stdout)  # noqa: S301
        except (EOFError, OSError):
            self.close()
            raise DatabaseLostError(f"{url.masked}: the reading process ended at once") from None
        if isinstance(answer, BulkloadError):
            self.close()
            raise answer
        self.address: tuple[str, int] = answer

    def close(self) -> None:
        """End the process, and the session with it."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()


class SerialSession:
    """The session of the process, as a client uses it."""

    def __init__(self, address: tuple[str, int], key: bytes, masked: str) -> None:
        """Connect to the process; ``DatabaseLostError`` where it is gone."""
        self._masked = masked
        try:
            self._pipe: Pipe = Client(address, authkey=key)
        except (OSError, EOFError, AuthenticationError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> DatabaseLostError:
        return DatabaseLostError(
            f"{self._masked}: the process that holds the snapshot is gone ({type(error).__name__})"
        )

    def _ask(self, kind: str, sql: str, types: Mapping[str, pa.DataType] | None = None) -> None:
        try:
            self._pipe.send((kind, sql, None if types is None else pa.schema(list(types.items()))))
        except OSError as error:
            raise self._lost(error) from None

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (OSError, EOFError) as error:
            raise self._lost(error) from None
        if isinstance(answer, BulkloadError):
            raise answer
        return answer

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        self._ask("rows", sql)
        found: list[dict[str, Any]] = self._answer()
        return found

    def kinds(self, sql: str) -> Mapping[str, ValueKind]:
        """Return what the columns of a query hold."""
        self._ask("kinds", sql)
        found: Mapping[str, ValueKind] = self._answer()
        return found

    def batches(self, sql: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """Stream a query; a batch that is not the last is followed by another or by an error."""
        self._ask("batches", sql, types)
        while (batch := self._answer()) is not None:
            yield batch

    def close(self) -> None:
        """Leave the process."""
        self._pipe.close()


def _serve(pipe: Pipe, session: Connection, turn: threading.Lock) -> None:
    """Answer one client until it leaves."""
    with suppress(OSError, EOFError), pipe:
        while True:
            kind, sql, schema = pipe.recv()
            with turn:
                try:
                    _reply(pipe, session, kind, sql, schema)
                except BulkloadError as error:
                    pipe.send(error)


def _reply(pipe: Pipe, session: Connection, kind: str, sql: str, schema: pa.Schema | None) -> None:
    if kind == "rows":
        pipe.send(session.rows(sql))
    elif kind == "kinds":
        pipe.send(session.kinds(sql))
    else:
        assert schema is not None
        for batch in session.batches(sql, dict(zip(schema.names, schema.types, strict=True))):
            pipe.send(batch)
        pipe.send(None)


def main() -> None:
    """Hold a session for whoever has the key, until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # The parent's own pipe: no other process can write to it.
    url, key = pickle.load(sys.stdin.buffer)  # noqa: S301
    try:
        session = Connection(url)
    except BulkloadError as error:
        pickle.dump(error, answers)
        answers.close()
        return
    turn = threading.Lock()
    with Listener(("127.0.0.1", 0), authkey=key) as listener:
        pickle.dump(listener.address, answers)
        answers.close()
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        while True:
            try:
                pipe: Pipe = listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue
            threading.Thread(target=_serve, args=(pipe, session, turn), daemon=True).start()


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
