"""Measurements: checked, uploaded, created or got, whatever their type."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from bulkload.client.api.arguments import checked_name, checked_tags
from bulkload.client.api.checked_series import (
    CheckedSeries,
    CheckLimits,
    MeasurementDetail,
    check,
    limits_of_cell,
)
from bulkload.client.api.creation import Creation, Look, Resolution, resolve_conflict
from bulkload.client.api.measurement_extend import MeasurementExtend
from bulkload.client.api.measurement_files import checked_files
from bulkload.client.api.records import (
    CellMeasurement,
    CellMeasurementBundle,
    InitiateAnswer,
    UploadTarget,
)
from bulkload.client.http.bodies import join_path
from bulkload.core.terms import MeasurementType
from bulkload.errors import ConflictError, MeasurementProcessingError


class AsyncCellMeasurementClient(MeasurementExtend):
    """``client.cell_measurement``."""

    async def create(  # noqa: PLR0917 - positional in the official client
        self,
        cell_instance_id: str,
        measurement_detail: Mapping[str, Any],
        validate_strict: bool = False,  # noqa: FBT001 - positional in the official client
        rated_capacity: float | None = None,
        voltage_window: tuple[float, float] | None = None,
        skip_checks: Iterable[str] | None = None,
        wait_for_processing: bool = True,  # noqa: FBT001 - positional in the official client
    ) -> CellMeasurementBundle:
        """Check a time series, upload it, and wait until the server has processed it.

        ``measurement_detail`` holds ``measurement`` (its ``name``, and any metadata),
        ``time_series`` and optionally ``steps``. Nothing is sent where a check fails. Strict
        checks take ``rated_capacity`` (A.h) and ``voltage_window`` (V) from the ratings of the
        cell's specification where they are not given.
        """
        series = await self._checked(
            cell_instance_id,
            measurement_detail,
            CheckLimits(validate_strict, rated_capacity, voltage_window, skip_checks),
        )
        return await self._create(cell_instance_id, series, wait=wait_for_processing)

    async def create_or_get(  # noqa: PLR0917 - positional in the official client
        self,
        cell_instance_id: str,
        measurement_detail: Mapping[str, Any],
        validate_strict: bool = False,  # noqa: FBT001 - positional in the official client
        rated_capacity: float | None = None,
        voltage_window: tuple[float, float] | None = None,
        skip_checks: Iterable[str] | None = None,
        wait_for_processing: bool = True,  # noqa: FBT001 - positional in the official client
    ) -> CellMeasurement:
        """Get the measurement of that name, or :meth:`create` it; ``was_created`` states which.

        A measurement that is there and that the server could not process is a failure here
        too: :class:`MeasurementProcessingError`.
        """
        series = await self._checked(
            cell_instance_id,
            measurement_detail,
            CheckLimits(validate_strict, rated_capacity, voltage_window, skip_checks),
        )
        return await self._create_or_get(
            cell_instance_id,
            series.detail.name,
            partial(self._create, cell_instance_id, series, wait=wait_for_processing),
            kind=MeasurementType.TIME_SERIES,
            wait=wait_for_processing,
        )

    async def create_properties(
        self,
        cell_instance_id: str,
        name: str,
        properties: Mapping[str, Any],
        *,
        notes: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        test_setup: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
    ) -> CellMeasurement:
        """Create a measurement of single values, such as ``{"value": 0.52, "unit": "mm"}``."""
        metadata = _metadata(
            name,
            notes=notes,
            protocol=protocol,
            start_time=start_time,
            end_time=end_time,
            test_setup=test_setup,
            tags=tags,
        )
        payload = {**metadata, "properties": dict(properties)}
        return await self.properties_creation(cell_instance_id, payload).create()

    async def create_or_get_properties(
        self,
        cell_instance_id: str,
        name: str,
        properties: Mapping[str, Any],
        *,
        notes: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        test_setup: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
    ) -> CellMeasurement:
        """Get the measurement of that name, as it is, or create it from single values."""
        metadata = _metadata(
            name,
            notes=notes,
            protocol=protocol,
            start_time=start_time,
            end_time=end_time,
            test_setup=test_setup,
            tags=tags,
        )
        payload = {**metadata, "properties": dict(properties)}
        record = await self.properties_creation(cell_instance_id, payload).create_or_get()
        return _of_type(record, MeasurementType.PROPERTIES)

    async def create_file(
        self,
        cell_instance_id: str,
        name: str,
        filepaths: Sequence[str | Path],
        *,
        validate_images: bool = False,
        notes: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        test_setup: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
    ) -> CellMeasurementBundle:
        """Create a measurement of files, of any type; ``validate_images`` checks pictures."""
        metadata = _metadata(
            name,
            notes=notes,
            protocol=protocol,
            start_time=start_time,
            end_time=end_time,
            test_setup=test_setup,
            tags=tags,
        )
        paths = await anyio.to_thread.run_sync(checked_files, filepaths, validate_images)
        return await self._create_file(cell_instance_id, metadata, paths)

    async def create_or_get_file(
        self,
        cell_instance_id: str,
        name: str,
        filepaths: Sequence[str | Path],
        *,
        validate_images: bool = False,
        notes: str | None = None,
        protocol: Mapping[str, Any] | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        test_setup: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
    ) -> CellMeasurement:
        """Get the measurement of that name, as it is, or create it from files."""
        metadata = _metadata(
            name,
            notes=notes,
            protocol=protocol,
            start_time=start_time,
            end_time=end_time,
            test_setup=test_setup,
            tags=tags,
        )
        paths = await anyio.to_thread.run_sync(checked_files, filepaths, validate_images)
        return await self._create_or_get(
            cell_instance_id,
            name,
            partial(self._create_file, cell_instance_id, metadata, paths),
            kind=MeasurementType.FILE,
            wait=True,
        )

    async def resolve_conflict(
        self, error: ConflictError, cell_instance_id: str, name: str
    ) -> Resolution[CellMeasurement]:
        """Resolve a 409 to the measurement of that name in the cell."""
        return await resolve_conflict(
            error,
            name=name,
            find=lambda: self.find(cell_instance_id, name),
            fetch=self.get,
            belongs=lambda record: record.cell_instance_id == cell_instance_id,
        )

    def properties_creation(
        self, cell_instance_id: str, data: Mapping[str, Any]
    ) -> Creation[CellMeasurement]:
        """Return the creation of a properties measurement from a whole payload."""
        payload = {**data, "measurement_type": MeasurementType.PROPERTIES.value}
        name = checked_name(payload, "measurement")
        path = join_path("cell_instances", cell_instance_id, "cell_measurements", "create")

        async def send(look: Look) -> Any:
            return await self._caller.call("POST", path, json=payload, look=look)

        return Creation(
            data=payload,
            send=send,
            parse=CellMeasurement.parse,
            find=lambda: self.find(cell_instance_id, name),
            fetch=self.get,
            belongs=lambda record: record.cell_instance_id == cell_instance_id,
        )

    async def _checked(
        self, cell_instance_id: str, measurement_detail: Mapping[str, Any], limits: CheckLimits
    ) -> CheckedSeries:
        detail = MeasurementDetail.of(measurement_detail)
        completed = await limits_of_cell(self._caller, cell_instance_id, limits, detail)
        return await anyio.to_thread.run_sync(check, detail, completed)

    async def _create(
        self, cell_instance_id: str, series: CheckedSeries, *, wait: bool
    ) -> CellMeasurementBundle:
        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            paths = await anyio.to_thread.run_sync(series.write, Path(folder))

            def pair(answer: InitiateAnswer) -> list[tuple[UploadTarget, Path]]:
                return [(answer.target(path.name), path) for path in paths]

            bundle = await self._upload(cell_instance_id, series.detail.metadata, pair)
        return await self._settled(bundle, wait=wait)

    async def _create_file(
        self, cell_instance_id: str, metadata: Mapping[str, Any], paths: Sequence[Path]
    ) -> CellMeasurementBundle:
        names = [path.name for path in paths]

        def pair(answer: InitiateAnswer) -> list[tuple[UploadTarget, Path]]:
            return list(zip(answer.targets(names), paths, strict=True))

        return await self._upload(
            cell_instance_id,
            metadata,
            pair,
            measurement_type=MeasurementType.FILE,
            filenames=names,
        )

    async def _create_or_get(
        self,
        cell_instance_id: str,
        name: str,
        create: partial[Any],
        *,
        kind: MeasurementType,
        wait: bool,
    ) -> CellMeasurement:
        # Looked up first: an existing measurement costs one request, not an upload.
        found = await self.find(cell_instance_id, name)
        if found is None:
            try:
                created: CellMeasurement = await create()
            except ConflictError as error:
                found = (await self.resolve_conflict(error, cell_instance_id, name)).record
                if found is None:
                    raise
            else:
                return created
        return await self._usable(_of_type(found, kind), wait=wait)

    async def _usable(self, found: CellMeasurement, *, wait: bool) -> CellMeasurement:
        """Return an existing measurement, unless the server could not process it."""
        if found.is_processing and wait:
            states = await self.wait_for_processing(found.id)
            found = CellMeasurement.parse(states[found.id])
        if (reason := found.failure_reason) is not None:
            raise MeasurementProcessingError(
                f"a measurement named {found.name!r} exists and could not be processed: {reason};"
                " delete it there, or use another name",
                {found.id: reason},
            )
        return found.marked(created=False)


def _of_type(found: CellMeasurement, kind: MeasurementType) -> CellMeasurement:
    """Return a record of the type that was meant: a name alone does not make it the same."""
    if found.measurement_type is kind:
        return found
    conflict = ConflictError(
        f"a measurement named {found.name!r} exists and holds {found.measurement_type}, not {kind}",
        409,
        error_code="CONFLICT",
    )
    conflict.existing_id = found.id
    raise conflict


def _metadata(name: str, *, tags: Iterable[str] | None, **stated: Any) -> dict[str, Any]:
    """Return what goes out beside the data: what was stated, and nothing else."""
    payload = {"name": name, **stated, "tags": checked_tags(tags)}
    checked_name(payload, "measurement")
    return {key: value for key, value in payload.items() if value is not None}
