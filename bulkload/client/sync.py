"""``Studio``: the same client for callers that do not await.

Every method is the one of :class:`~bulkload.client.studio.AsyncStudio`, run in a loop in a
thread of its own: one implementation, two faces.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bulkload.client.api.cell_batch import AsyncCellBatchClient
from bulkload.client.api.cell_instance import AsyncCellInstanceClient
from bulkload.client.api.cell_measurement import AsyncCellMeasurementClient
from bulkload.client.api.cell_spec import AsyncCellSpecClient
from bulkload.client.api.project import AsyncProjectClient
from bulkload.client.api.raw_data import AsyncRawDataClient
from bulkload.client.delivery import Delivery
from bulkload.client.portal import Loop, Proxied, blocking, lazy
from bulkload.client.studio import AsyncStudio


class ProjectClient(Proxied):
    """``client.project``."""

    get = blocking(AsyncProjectClient.get)
    list = lazy(AsyncProjectClient.list)
    find = blocking(AsyncProjectClient.find)
    create = blocking(AsyncProjectClient.create)
    create_or_get = blocking(AsyncProjectClient.create_or_get)
    update = blocking(AsyncProjectClient.update)
    delete = blocking(AsyncProjectClient.delete)


class CellSpecClient(Proxied):
    """``client.cell_spec``."""

    get = blocking(AsyncCellSpecClient.get)
    list = lazy(AsyncCellSpecClient.list)
    find = blocking(AsyncCellSpecClient.find)
    create = blocking(AsyncCellSpecClient.create)
    create_or_get = blocking(AsyncCellSpecClient.create_or_get)
    update = blocking(AsyncCellSpecClient.update)
    delete = blocking(AsyncCellSpecClient.delete)


class CellBatchClient(Proxied):
    """``client.cell_batch``."""

    get = blocking(AsyncCellBatchClient.get)
    list = lazy(AsyncCellBatchClient.list)
    find = blocking(AsyncCellBatchClient.find)
    create = blocking(AsyncCellBatchClient.create)
    create_or_get = blocking(AsyncCellBatchClient.create_or_get)
    update = blocking(AsyncCellBatchClient.update)
    delete = blocking(AsyncCellBatchClient.delete)


class CellInstanceClient(Proxied):
    """``client.cell_instance``."""

    get = blocking(AsyncCellInstanceClient.get)
    detail = blocking(AsyncCellInstanceClient.detail)
    list = lazy(AsyncCellInstanceClient.list)
    find = blocking(AsyncCellInstanceClient.find)
    create = blocking(AsyncCellInstanceClient.create)
    create_or_get = blocking(AsyncCellInstanceClient.create_or_get)
    update = blocking(AsyncCellInstanceClient.update)
    delete = blocking(AsyncCellInstanceClient.delete)


class CellMeasurementClient(Proxied):
    """``client.cell_measurement``."""

    get = blocking(AsyncCellMeasurementClient.get)
    detail = blocking(AsyncCellMeasurementClient.detail)
    status = blocking(AsyncCellMeasurementClient.status)
    list = lazy(AsyncCellMeasurementClient.list)
    list_by_project = lazy(AsyncCellMeasurementClient.list_by_project)
    find = blocking(AsyncCellMeasurementClient.find)
    create = blocking(AsyncCellMeasurementClient.create)
    create_or_get = blocking(AsyncCellMeasurementClient.create_or_get)
    create_properties = blocking(AsyncCellMeasurementClient.create_properties)
    create_or_get_properties = blocking(AsyncCellMeasurementClient.create_or_get_properties)
    create_file = blocking(AsyncCellMeasurementClient.create_file)
    create_or_get_file = blocking(AsyncCellMeasurementClient.create_or_get_file)
    extend = blocking(AsyncCellMeasurementClient.extend)
    extend_with = blocking(AsyncCellMeasurementClient.extend_with)
    update = blocking(AsyncCellMeasurementClient.update)
    delete = blocking(AsyncCellMeasurementClient.delete)
    initiate = blocking(AsyncCellMeasurementClient.initiate)
    put = blocking(AsyncCellMeasurementClient.put)
    confirm = blocking(AsyncCellMeasurementClient.confirm)
    wait_for_processing = blocking(AsyncCellMeasurementClient.wait_for_processing)
    processing_states = blocking(AsyncCellMeasurementClient.processing_states)
    time_series = blocking(AsyncCellMeasurementClient.time_series)
    steps = blocking(AsyncCellMeasurementClient.steps)
    cycles = blocking(AsyncCellMeasurementClient.cycles)
    steps_and_cycles = blocking(AsyncCellMeasurementClient.steps_and_cycles)
    download_time_series = blocking(AsyncCellMeasurementClient.download_time_series)
    download_steps = blocking(AsyncCellMeasurementClient.download_steps)
    list_files = blocking(AsyncCellMeasurementClient.list_files)
    get_file = blocking(AsyncCellMeasurementClient.get_file)
    download_files = blocking(AsyncCellMeasurementClient.download_files)
    list_tags = lazy(AsyncCellMeasurementClient.list_tags)
    add_tags = blocking(AsyncCellMeasurementClient.add_tags)
    remove_tags = blocking(AsyncCellMeasurementClient.remove_tags)
    attach_raw_data = blocking(AsyncCellMeasurementClient.attach_raw_data)
    detach_raw_data = blocking(AsyncCellMeasurementClient.detach_raw_data)
    list_raw_data = lazy(AsyncCellMeasurementClient.list_raw_data)


class RawDataClient(Proxied):
    """``client.raw_data``."""

    upload = blocking(AsyncRawDataClient.upload)
    get = blocking(AsyncRawDataClient.get)
    list = lazy(AsyncRawDataClient.list)
    download_url = blocking(AsyncRawDataClient.download_url)
    download = blocking(AsyncRawDataClient.download)
    download_to = blocking(AsyncRawDataClient.download_to)
    update = blocking(AsyncRawDataClient.update)
    delete = blocking(AsyncRawDataClient.delete)
    list_measurements = lazy(AsyncRawDataClient.list_measurements)


class Studio(Proxied):
    """Ionworks Studio. ``client = Studio()`` works, ``with Studio() as client:`` closes it.

    Arguments and environment are those of :class:`~bulkload.client.studio.AsyncStudio`.
    """

    def __init__(  # noqa: PLR0917 - positional in the official client
        self,
        api_key: str | None = None,
        api_url: str | None = None,
        project_id: str | None = None,
        dataframe_backend: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        token: str | None = None,
        organization_id: str | None = None,
        *,
        api_token: str | None = None,
        base_url: str | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        studio = AsyncStudio(
            api_key,
            api_url,
            project_id,
            dataframe_backend,
            timeout,
            max_retries,
            token,
            organization_id,
            api_token=api_token,
            base_url=base_url,
            delivery=delivery,
        )
        loop = Loop()
        loop.at_end(studio.aclose)
        super().__init__(studio, loop)
        self.api_url = studio.api_url
        self.project_id = studio.project_id
        self.organization_id = studio.organization_id
        self.project = ProjectClient(studio.project, loop)
        self.cell_spec = CellSpecClient(studio.cell_spec, loop)
        self.cell_batch = CellBatchClient(studio.cell_batch, loop)
        self.cell_instance = CellInstanceClient(studio.cell_instance, loop)
        self.cell_measurement = CellMeasurementClient(studio.cell_measurement, loop)
        self.raw_data = RawDataClient(studio.raw_data, loop)

    def __repr__(self) -> str:
        return f"Studio({self.api_url!r}, project_id={self.project_id!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the thread; closing twice is once."""
        self.loop.close()

    health_check = blocking(AsyncStudio.health_check)
    whoami = blocking(AsyncStudio.whoami)
    upload_many = blocking(AsyncStudio.upload_many)
    resolve_measurement = blocking(AsyncStudio.resolve_measurement)
