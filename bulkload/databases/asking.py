"""The sums of many measurements: asked for by several sessions that see the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Final

from bulkload.databases.columns import RawColumns
from bulkload.databases.engines.base import Database
from bulkload.databases.session import Session, opened
from bulkload.databases.sums import Sums, sums_rows

#: Sessions that ask at once. The server adds up with a core for each: four keep a small server
#: busy, and leave a large one to the others who use it.
SESSIONS: Final = 4


class Asking:
    """Sessions that take one query of sums after the other; none of their own: ``lead`` does."""

    def __init__(
        self, lead: Database, sessions: Sequence[Database], executor: ThreadPoolExecutor
    ) -> None:
        self._lead, self._executor = lead, executor
        self._are_several = bool(sessions)
        self._free: SimpleQueue[Database] = SimpleQueue()
        for one in sessions:
            self._free.put(one)

    def sums(self, sql: str, columns: RawColumns) -> Callable[[], Sums]:
        """Ask for the sums of one measurement; what is returned waits for them.

        The lead asks when it is called: its session has other queries between.
        """
        if not self._are_several:
            return partial(query_sums, self._lead, sql, columns)
        return self._executor.submit(self._ask, sql, columns).result

    def _ask(self, sql: str, columns: RawColumns) -> Sums:
        database = self._free.get()
        try:
            return query_sums(database, sql, columns)
        finally:
            self._free.put(database)


def query_sums(database: Database, sql: str, columns: RawColumns) -> Sums:
    """Ask a database for the sums of one measurement."""
    return Sums.of_row(sums_rows(database, sql, columns)[0], columns.all)


@contextmanager
def asking(session: Session, measurements: int) -> Iterator[Asking]:
    """Open as many sessions as there are measurements, up to ``SESSIONS``, for the block.

    Where all have to read by one session, or there is one measurement, there is none but its own.
    """
    with ExitStack() as stack:
        further = [
            stack.enter_context(opened(session.another()))
            for _ in range(min(SESSIONS, measurements))
            if measurements > 1 and session.has_others
        ]
        executor = ThreadPoolExecutor(SESSIONS, "sums")
        # Before the sessions are closed, none of them is at work.
        stack.callback(executor.shutdown, cancel_futures=True)
        yield Asking(session.database, further, executor)
