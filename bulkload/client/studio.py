"""``AsyncStudio``: the client, with one sub-client for each kind of record."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from bulkload.client.api.cell_batch import AsyncCellBatchClient
from bulkload.client.api.cell_instance import AsyncCellInstanceClient
from bulkload.client.api.cell_measurement import AsyncCellMeasurementClient
from bulkload.client.api.cell_spec import AsyncCellSpecClient
from bulkload.client.api.project import AsyncProjectClient
from bulkload.client.api.raw_data import AsyncRawDataClient
from bulkload.client.api.records import CellMeasurement
from bulkload.client.api.resource import ClientContext
from bulkload.client.delivery import Delivery
from bulkload.client.http.access import resolve_access
from bulkload.errors import (
    RUN_ENDING,
    BulkloadError,
    ClientError,
    MeasurementValidationError,
)
from bulkload.tables.backends import BACKENDS, default_backend

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AsyncStudio", "Delivery"]


class AsyncStudio:
    """Ionworks Studio, awaited. Use it as ``async with AsyncStudio() as studio:``.

    What is not given is taken from the environment: ``IONWORKS_API_KEY``,
    ``IONWORKS_API_TOKEN``, ``IONWORKS_API_URL``, ``IONWORKS_PROJECT_ID``,
    ``IONWORKS_ORGANIZATION_ID``, ``IONWORKS_DATAFRAME_BACKEND``. A key or token given as an
    argument outranks both of the environment; within one of the two, a token outranks a key.
    ``api_token`` and ``base_url`` are other names of ``token`` and ``api_url``. ``timeout`` is
    how many seconds a connection, and the next byte of an answer, are waited for;
    ``max_retries`` how often a call is repeated at most. ``delivery`` holds the finer settings.
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
        access = resolve_access(
            api_key=api_key,
            api_token=token or api_token,
            base_url=api_url or base_url,
            organization_id=organization_id,
        )
        self.api_url = access.base_url
        self.project_id = project_id or project_of(os.environ)
        self.organization_id = access.organization_id
        wire = _adjusted(delivery or Delivery(), timeout, max_retries)
        self._transport, self._caller, self._storage = wire.open(access)
        connection = ClientContext(
            caller=self._caller,
            storage=self._storage,
            project_id=self.project_id,
            dataframe_backend=_backend(dataframe_backend, os.environ),
        )
        self.project = AsyncProjectClient(connection)
        self.cell_spec = AsyncCellSpecClient(connection)
        self.cell_batch = AsyncCellBatchClient(connection)
        self.cell_measurement = AsyncCellMeasurementClient(connection)
        self.cell_instance = AsyncCellInstanceClient(
            connection, self.cell_batch, self.cell_measurement
        )
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

    def allow_connections(self, connections: int) -> None:
        """Let more API requests be in flight than the delivery's settings did."""
        self._caller.allow(connections)

    async def health_check(self) -> Any:
        """Ask whether the service is up."""
        return await self._caller.reach("/healthz")

    async def whoami(self) -> dict[str, Any]:
        """Ask who the key belongs to, and which organization it acts for."""
        answer = await self._caller.call("GET", "/users/me")
        return dict(answer)

    async def upload_many(
        self,
        cell_instance_id: str,
        tables: Mapping[str, Any],
        *,
        validate_strict: bool = False,
        connections: int = 4,
    ) -> pd.DataFrame:
        """Upload several time series of a cell at once; return a table of their outcomes.

        ``tables`` has each measurement's table under its name. One that fails costs itself: its
        row has the cause and the message. A name that is there is ``existing``, and its content
        is not compared.

        ``connections`` are under way at once. Columns: ``measurement``, ``outcome`` (created,
        existing, rejected, failed), ``measurement_id``, ``cause`` and ``message``; a row a table,
        in their order.
        """
        limiter = anyio.CapacityLimiter(connections)
        rows: dict[str, dict[str, Any]] = {name: {"measurement": name} for name in tables}

        endings: list[BulkloadError] = []

        async def upload(name: str) -> None:
            detail = {"measurement": {"name": name}, "time_series": tables[name]}
            act = self.cell_measurement.create_or_get
            try:
                async with limiter:
                    rows[name] |= await _outcome(act(cell_instance_id, detail, validate_strict))
            # What would end every other one alike, such as a rejected key.
            except RUN_ENDING as error:
                endings.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for name in tables:
                group.start_soon(upload, name)
        if endings:
            raise endings[0]
        import pandas as pd

        columns = ["measurement", "outcome", "measurement_id", "cause", "message"]
        return pd.DataFrame(list(rows.values()), columns=columns)

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
            raise ClientError(f"no cell specification named {cell_specification!r}", 404)
        cell = await self.cell_instance.find(spec.id, cell_instance)
        if cell is None:
            raise ClientError(f"no cell instance named {cell_instance!r}", 404)
        found = await self.cell_measurement.find(cell.id, measurement)
        if found is None:
            raise ClientError(f"no cell measurement named {measurement!r}", 404)
        return found


async def _outcome(act: Awaitable[CellMeasurement]) -> dict[str, Any]:
    """Return how an upload ended; what ends all of them is raised."""
    try:
        record = await act
    except RUN_ENDING:
        raise
    except MeasurementValidationError as error:
        return {"outcome": "rejected", "cause": error.cause, "message": str(error)}
    except BulkloadError as error:
        return {"outcome": "failed", "cause": error.cause, "message": str(error)}
    # What is no table at all: the caller's mistake, and the other tables' none.
    except (TypeError, ValueError) as error:
        return {"outcome": "rejected", "cause": "invalid", "message": str(error)}
    outcome = "created" if record.was_created else "existing"
    return {"outcome": outcome, "measurement_id": record.id}


def _adjusted(delivery: Delivery, timeout: float | None, max_retries: int | None) -> Delivery:
    if timeout is not None:
        timeouts = replace(delivery.timeouts, connect_s=timeout, read_s=timeout)
        delivery = replace(delivery, timeouts=timeouts)
    if max_retries is not None:
        policy = replace(delivery.policy, attempt_limit=max_retries + 1)
        delivery = replace(delivery, policy=policy)
    return delivery


def project_of(environ: Mapping[str, str]) -> str | None:
    """Return the project that the environment names; its older variable is warned about."""
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
