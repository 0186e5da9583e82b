"""Waiting until the server has derived the steps of what was uploaded.

A confirmed upload is not yet a success: the server reads the file afterwards, and may fail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio

from bulkload.client.api.arguments import id_list
from bulkload.client.api.limits import (
    FIRST_POLL_S,
    LAST_POLL_S,
    MAX_LOOKS_IN_FLIGHT,
    PAGE_SIZE,
    PROCESSING_TIMEOUT_S,
)
from bulkload.client.api.measurement_records import MeasurementRecords
from bulkload.client.api.records import CellMeasurement
from bulkload.client.api.resource import run_all
from bulkload.errors import ClientError, MeasurementProcessingError


class MeasurementWaiting(MeasurementRecords):
    """One poll loop for any number of measurements."""

    async def wait_for_processing(
        self,
        measurement_ids: str | Iterable[str],
        timeout: float = PROCESSING_TIMEOUT_S,  # noqa: ASYNC109 - the name in the official client
    ) -> dict[str, dict[str, Any]]:
        """Wait until the server is done with all of them; return the last state of each.

        All failures are reported together, at the end. What is still being processed after
        ``timeout`` seconds counts as failed here, though the server may yet finish.
        """
        pending: dict[str, str | None] = dict.fromkeys(id_list(measurement_ids))
        total = len(pending)
        settled: dict[str, CellMeasurement] = {}
        deadline = anyio.current_time() + timeout
        pause = FIRST_POLL_S
        while pending:
            seen = _present(await self.processing_states(pending))
            settled.update(seen)
            pending = {
                measurement_id: record.cell_instance_id
                for measurement_id, record in seen.items()
                if record.is_processing
            }
            left = deadline - anyio.current_time()
            if not pending or left <= 0:
                break
            await anyio.sleep(min(pause, left))
            pause = min(pause * 2, LAST_POLL_S)
        _raise_failures(settled, timeout, total)
        return {measurement_id: record.model_dump() for measurement_id, record in settled.items()}

    async def processing_states(
        self, measurements: Mapping[str, str | None]
    ) -> dict[str, CellMeasurement | None]:
        """Read each measurement once, given as id -> id of its cell (None where unknown).

        Several of one cell are read from its list, newest first. What the first pages do not
        hold, and single ones, are read by id: a list may lag behind, so only that answer can
        say that a measurement does not exist (None).
        """
        by_cell: dict[str, list[str]] = defaultdict(list)
        for measurement_id, instance_id in measurements.items():
            if instance_id is not None:
                by_cell[instance_id].append(measurement_id)
        found: dict[str, CellMeasurement | None] = {}

        async def read(measurement_id: str) -> None:
            found[measurement_id] = await self.status(measurement_id)

        async def read_cell(instance_id: str, ids: Sequence[str]) -> None:
            found.update(await self._newest(instance_id, ids))

        cells = [
            partial(read_cell, instance_id, ids)
            for instance_id, ids in by_cell.items()
            if len(ids) > 1
        ]
        await run_all(cells, at_once=MAX_LOOKS_IN_FLIGHT)
        rest = [partial(read, each) for each in measurements if each not in found]
        await run_all(rest, at_once=MAX_LOOKS_IN_FLIGHT)
        return found

    async def _newest(self, instance_id: str, ids: Sequence[str]) -> Mapping[str, CellMeasurement]:
        """Read pages of a cell's list while that takes fewer requests than asking for each."""
        wanted = set(ids)
        found: dict[str, CellMeasurement] = {}
        listing = self.list(
            instance_id, (len(ids) - 1) * PAGE_SIZE, order_by="created_at", order="desc"
        )
        async for record in listing:
            if record.id in wanted:
                found[record.id] = record
                if len(found) == len(wanted):
                    break
        return found


def _present(states: Mapping[str, CellMeasurement | None]) -> dict[str, CellMeasurement]:
    found = {key: record for key, record in states.items() if record is not None}
    if gone := states.keys() - found.keys():
        raise ClientError(f"no cell measurement has the id {min(gone)}", HTTPStatus.NOT_FOUND)
    return found


def _raise_failures(settled: Mapping[str, CellMeasurement], timeout: float, total: int) -> None:
    failures: dict[str, str] = {}
    for measurement_id, record in settled.items():
        if record.failure_reason is not None:
            failures[measurement_id] = record.failure_reason
        elif record.is_processing:
            failures[measurement_id] = (
                f"still processing after {timeout:.0f} s; it may yet finish:"
                " see its processing_status"
            )
    if not failures:
        return
    if total == 1:
        raise MeasurementProcessingError(next(iter(failures.values())), failures)
    listed = "\n".join(f"  {measurement_id}: {why}" for measurement_id, why in failures.items())
    raise MeasurementProcessingError(
        f"{len(failures)} of {total} uploads could not be processed:\n{listed}", failures
    )
