"""``AsyncStudio``: the client, with one sub-client for each kind of record."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from bulkload.client.access import resolve_access
from bulkload.client.caller import Caller
from bulkload.client.cell_batch import AsyncCellBatchClient
from bulkload.client.cell_instance import AsyncCellInstanceClient
from bulkload.client.cell_measurement import AsyncCellMeasurementClient
from bulkload.client.cell_spec import AsyncCellSpecClient
from bulkload.client.project import AsyncProjectClient
from bulkload.client.raw_data import AsyncRawDataClient
from bulkload.client.records import CellMeasurement
from bulkload.client.resource import Connection
from bulkload.client.storage import Storage
from bulkload.client.tables import BACKENDS, default_backend
from bulkload.client.transport import HttpTransport
from bulkload.errors import RefusedError


class AsyncStudio:
    """Ionworks Studio, awaited. Use it as ``async with AsyncStudio() as studio:``.

    What is not given is taken from the environment: ``IONWORKS_API_KEY``,
    ``IONWORKS_API_TOKEN``, ``IONWORKS_API_URL``, ``IONWORKS_PROJECT_ID``,
    ``IONWORKS_ORGANIZATION_ID``, ``IONWORKS_DATAFRAME_BACKEND``. A key or token given as an
    argument outranks both of the environment; within one of the two, a token outranks a key.
    ``api_token`` and ``base_url`` are other names of ``token`` and ``api_url``.
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_url: str | None = None,
        project_id: str | None = None,
        dataframe_backend: str | None = None,
        *,
        token: str | None = None,
        organization_id: str | None = None,
        api_token: str | None = None,
        base_url: str | None = None,
    ) -> None:
        access = resolve_access(
            api_key=api_key,
            api_token=token or api_token,
            base_url=api_url or base_url,
            organization_id=organization_id,
        )
        self.api_url = access.base_url
        self.project_id = project_id or project_of(os.environ)
        self.organization_id = access.organization_id
        self._transport = HttpTransport(access)
        self._storage = Storage()
        self._caller = Caller(self._transport, mask=access.mask)
        connection = Connection(
            caller=self._caller,
            storage=self._storage,
            project_id=self.project_id,
            dataframe_backend=_backend(dataframe_backend, os.environ),
        )
        self.project = AsyncProjectClient(connection)
        self.cell_spec = AsyncCellSpecClient(connection)
        self.cell_batch = AsyncCellBatchClient(connection)
        self.cell_instance = AsyncCellInstanceClient(connection, self.cell_batch)
        self.cell_measurement = AsyncCellMeasurementClient(connection)
        self.raw_data = AsyncRawDataClient(connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.api_url!r}, project_id={self.project_id!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
        await self._storage.aclose()

    async def health_check(self) -> Any:
        """Ask whether the service is up."""
        return await self._caller.call("GET", "/healthz")

    async def whoami(self) -> dict[str, Any]:
        """Ask who the key belongs to, and which organization it acts for."""
        answer = await self._caller.call("GET", "/users/me")
        return dict(answer)

    async def resolve_measurement(
        self,
        cell_specification: str,
        cell_instance: str,
        measurement: str,
        *,
        project_id: str | None = None,
    ) -> CellMeasurement:
        """Find a measurement by the names of its specification, its cell and itself."""
        spec = await self.cell_spec.find(cell_specification, project_id)
        if spec is None:
            raise RefusedError(f"no cell specification named {cell_specification!r}", 404)
        cell = await self.cell_instance.find(spec.id, cell_instance)
        if cell is None:
            raise RefusedError(f"no cell instance named {cell_instance!r}", 404)
        found = await self.cell_measurement.find(cell.id, measurement)
        if found is None:
            raise RefusedError(f"no cell measurement named {measurement!r}", 404)
        return found


def project_of(environ: Mapping[str, str]) -> str | None:
    """Give the project that the environment names; its older variable is warned about."""
    if project_id := environ.get("IONWORKS_PROJECT_ID"):
        return project_id
    older = environ.get("PROJECT_ID")
    if older:
        warnings.warn(
            "PROJECT_ID is an older name: set IONWORKS_PROJECT_ID",
            DeprecationWarning,
            stacklevel=3,
        )
    return older or None


def _backend(chosen: str | None, environ: Mapping[str, str]) -> str:
    backend = chosen or environ.get("IONWORKS_DATAFRAME_BACKEND") or default_backend()
    if backend not in BACKENDS:
        raise ValueError(f"dataframe_backend is one of {', '.join(BACKENDS)}, not {backend!r}")
    return backend
