"""Appending rows to a test that still runs.

409 means here that the server still processes what was sent before: wait, and begin again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import anyio

from bulkload.client.api.limits import FIRST_CONFLICT_WAIT_S, MAX_EXTENSIONS
from bulkload.client.api.measurement_upload import MeasurementUpload
from bulkload.client.api.records import CellMeasurement, CellMeasurementBundle, InitiateAnswer
from bulkload.client.api.resource import send_again
from bulkload.client.http.attempts import repeat
from bulkload.client.http.bodies import join_path
from bulkload.errors import (
    ConflictError,
    ExpiredUrlError,
    MeasurementProcessingError,
)

#: Name of the upload that holds the new rows.
EXTENSION: Final = "time_series_extend.parquet"


class MeasurementExtend(MeasurementUpload):
    """``extend``."""

    async def extend(
        self,
        measurement_id: str,
        time_series: Any,
        wait_for_processing: bool = True,  # noqa: FBT001 - positional in the official client
    ) -> CellMeasurementBundle:
        """Append rows to a measurement whose test has not ended.

        They need the columns that it has, and times after its last one. Waits for the server
        to append them; :class:`MeasurementProcessingError` where it could not.
        """
        # Here and below: an upload of files reads no table, and does without their libraries.
        from bulkload.client.api.extension_rows import write_rows

        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            path = Path(folder, EXTENSION)
            await anyio.to_thread.run_sync(write_rows, time_series, path)
            bundle = await self.extend_with(measurement_id, path)
        if not wait_for_processing:
            return bundle
        settled = await self._settled(bundle, wait=True)
        # The record stays readable when an extension fails: only this field tells.
        if settled.processing_error:
            raise MeasurementProcessingError(
                settled.processing_error, {measurement_id: settled.processing_error}
            )
        return settled

    async def extend_with(
        self, measurement_id: str, path: Path, *, may_be_done: bool = False
    ) -> CellMeasurementBundle:
        """Append the rows of a Parquet file; does not wait for the server to process them.

        ``may_be_done``: an earlier attempt may have appended them; then this looks first.
        """
        has_ended = False

        async def send() -> CellMeasurementBundle:
            nonlocal has_ended, may_be_done
            before = await self.get(measurement_id)
            has_ended = before.end_time is not None
            if before.is_processing:
                before = await self._processed(measurement_id)
            if may_be_done and await self._holds(before, path):
                return CellMeasurementBundle.parse(before.model_dump()).marked(created=False)
            await self._put_extension(measurement_id, path)
            may_be_done = True
            return await self._confirm_extension(before, path)

        def may_repeat(error: BaseException) -> bool:
            # Studio answers 409 too where the test has ended: that does not pass.
            is_busy = isinstance(error, ConflictError) and not has_ended
            return is_busy or isinstance(error, ExpiredUrlError)

        return await repeat(
            send,
            may_repeat=may_repeat,
            attempts=MAX_EXTENSIONS,
            first_wait_s=FIRST_CONFLICT_WAIT_S,
        )

    async def _processed(self, measurement_id: str) -> CellMeasurement:
        await self.wait_for_processing(measurement_id)
        return await self.get(measurement_id)

    async def _put_extension(self, measurement_id: str, path: Path) -> None:
        route = join_path("cell_measurements", measurement_id, "initiate-extend")
        answer = await self._caller.call("POST", route, json={}, look=send_again)
        offered = InitiateAnswer.parse(answer)
        await self.put(offered.target(EXTENSION), path)

    async def _confirm_extension(
        self, before: CellMeasurement, path: Path
    ) -> CellMeasurementBundle:
        has_looked = False

        async def look() -> Any:
            nonlocal has_looked
            has_looked = True
            record = await self.get(before.id)
            # An error that was there before is an earlier extension's: being claimed clears it.
            is_new_error = record.processing_error not in (None, before.processing_error)
            if record.is_processing or is_new_error:
                return record.model_dump()
            return record.model_dump() if await self._holds(record, path) else None

        route = join_path("cell_measurements", before.id, "confirm-extend")
        try:
            answer = await self._caller.call("POST", route, json={}, look=look)
        except ConflictError:
            # Our own lost request may be what is in the way.
            answer = await look() if has_looked else None
            if answer is None:
                raise
        return CellMeasurementBundle.parse(answer).marked(created=False)

    async def _holds(self, record: CellMeasurement, rows: Path) -> bool:
        """Return whether the stored table ends with the rows of a file."""
        from bulkload.client.api.extension_rows import ends_with

        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            path = Path(folder, "time_series.parquet")
            await self.download_time_series(record.id, path)
            return await anyio.to_thread.run_sync(ends_with, path, rows)
