"""Server-side processing: pending, running, then ready or failed; off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bulkload.core.frame import Frame
from bulkload.core.ratings import UnknownUnitError, rated_capacity
from bulkload.localstudio.datetimes import now_text
from bulkload.localstudio.derived_tables import derive_cycles, derive_steps, write_frame
from bulkload.localstudio.faults import FaultKind
from bulkload.localstudio.objects import EXTEND_FILE, STEPS_FILE, TIME_SERIES_FILE, object_key
from bulkload.localstudio.parquet_objects import UnfitError, append_rows, read_series
from bulkload.localstudio.store import StoredRecord
from bulkload.localstudio.studio import StudioState
from bulkload.localstudio.studio_settings import PROCESSING_THREADS

#: What fault rules call it.
ENDPOINT: Final = "processing"

#: States of a measurement that processing has yet to finish.
UNSETTLED: Final = frozenset({"pending", "running"})


class Processing:
    """The queue of confirmed measurements."""

    def __init__(self, studio: StudioState) -> None:
        self._studio = studio
        self._slots = asyncio.Semaphore(studio.settings.processing_slots)
        self._threads = ThreadPoolExecutor(PROCESSING_THREADS, "studio-processing")
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, record: StoredRecord) -> None:
        """Process a measurement whose time series has been confirmed."""
        rated = self._rated_capacity(record)
        self._spawn(record, lambda: self._accept(record.id, rated), on_failure="failed")

    def begin_extend(self, record: StoredRecord) -> None:
        """Append the confirmed rows; where that fails, the measurement stays as it was."""
        self._spawn(record, lambda: self._extend(record.id), on_failure="ready")

    async def tables(self, record: StoredRecord) -> tuple[Frame | None, Frame | None]:
        """Return the steps and cycles of a processed measurement, None where it has none."""
        rated = self._rated_capacity(record)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._tables, record.id, rated)

    async def steps_object(self, record: StoredRecord) -> str:
        """Return the key of the step table, which is made at the first request."""
        key = object_key(record.id, STEPS_FILE)
        if not self._studio.objects.exists(key):
            steps, _ = await self.tables(record)
            arriving = self._studio.objects.incoming()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, write_frame, steps, arriving)
            self._studio.objects.adopt(arriving, key)
        return key

    def resume(self) -> None:
        """Take up what was unfinished when the Studio went down."""
        for record in self._studio.store.unsettled():
            extend = self._studio.objects.exists(object_key(record.id, EXTEND_FILE))
            (self.begin_extend if extend else self.begin)(record)

    async def idle(self) -> None:
        """Wait until nothing is left to process. Work that a fault holds up is waited for too."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop; what is unfinished is taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=True)

    def _spawn(self, record: StoredRecord, work: Callable[[], None], on_failure: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(record, work, on_failure))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, record: StoredRecord, work: Callable[[], None], on_failure: str) -> None:
        kinds = {rule.kind: rule for rule in self._studio.faults.matching(ENDPOINT, record.name)}
        if FaultKind.PROCESSING_LOST in kinds:
            return
        loop = asyncio.get_running_loop()
        ready_at = loop.time() + self._studio.settings.processing_s
        async with self._slots:
            self._studio.store.set_status(record.id, "running", None, now_text())
            stuck = kinds.get(FaultKind.PROCESSING_STUCK)
            if stuck is not None:
                await (asyncio.sleep(stuck.seconds) if stuck.seconds else asyncio.Event().wait())
            error = None
            try:
                await loop.run_in_executor(self._threads, work)
            except UnfitError as unfit:
                error = str(unfit)
            if FaultKind.PROCESSING_FAILED in kinds:
                error = "ordered fault: processing failed"
            await asyncio.sleep(ready_at - loop.time())
        status = "ready" if error is None else on_failure
        self._studio.store.set_status(record.id, status, error, now_text())

    def _accept(self, record_id: str, rated: float | None) -> None:
        table = read_series(self._series(record_id))
        if self._studio.settings.derive_steps == "processing":
            self._derived(table, rated)

    def _tables(self, record_id: str, rated: float | None) -> tuple[Frame | None, Frame | None]:
        return self._derived(read_series(self._series(record_id)), rated)

    def _derived(self, table: Any, rated: float | None) -> tuple[Frame | None, Frame | None]:
        try:
            steps = derive_steps(table, rated)
        except UnfitError:
            if self._studio.settings.underivable_steps == "fail":
                raise
            return None, None
        return steps, derive_cycles(steps)

    def _series(self, record_id: str) -> Path:
        return self._studio.objects.path(object_key(record_id, TIME_SERIES_FILE))

    def _rated_capacity(self, record: StoredRecord) -> float | None:
        instance = self._studio.store.get("cell_instance", record.scope)
        found = instance and self._studio.store.get("cell_specification", instance.scope)
        try:
            return rated_capacity(found.fields.get("ratings")) if found else None
        except UnknownUnitError:
            return None

    def _extend(self, record_id: str) -> None:
        objects = self._studio.objects
        delta = object_key(record_id, EXTEND_FILE)
        try:
            append_rows(self._series(record_id), objects.path(delta), objects.incoming())
        finally:
            objects.delete([delta])
        # The next request for the steps makes them anew.
        objects.delete([object_key(record_id, STEPS_FILE)])
