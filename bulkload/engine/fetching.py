"""Copy remote sources to this machine, a few ahead of the processes that read them."""

from __future__ import annotations

from pathlib import Path

import anyio

from bulkload.archives.limits import READS_AHEAD
from bulkload.core.prepare_result import Rejected, SourceCopy
from bulkload.engine.jobs import JobContext
from bulkload.errors import BulkloadError
from bulkload.worker.copies import copied


class Fetcher:
    """Copies sources into the spool; at most ``READS_AHEAD`` wait there for a reader."""

    def __init__(self) -> None:
        self._ahead = anyio.CapacityLimiter(READS_AHEAD)

    async def fetch(self, context: JobContext, spool: Path) -> SourceCopy | Rejected:
        """Copy a job's source; the answer is also why it cannot be."""
        await self._ahead.acquire_on_behalf_of(context.id)
        try:
            return await anyio.to_thread.run_sync(
                copied, context.job.path, spool, abandon_on_cancel=True
            )
        except (BulkloadError, OSError) as error:
            # Here: it loads the libraries of tables, and mostly every source can be copied.
            from bulkload.worker.prepare import unfetched

            self.taken(context)
            return unfetched(context.job, error)
        except BaseException:
            self.taken(context)
            raise

    def taken(self, context: JobContext) -> None:
        """Make room for the next: a reader has this one."""
        self._ahead.release_on_behalf_of(context.id)
