"""A Dask cluster: that of an address, or one in this process."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from bulkload.errors import MissingExtraError, SettingsError
from bulkload.lanes.budget import LOCAL
from bulkload.lanes.dask_worker import RESOURCE
from bulkload.lanes.limits import CLUSTER_CONNECT_S
from bulkload.settings import RunLimits

if TYPE_CHECKING:
    from distributed import Client

#: Where Dask's HTTP servers listen that serve nothing here: any port of loopback.
NO_PAGE: Final = "127.0.0.1:0"


@asynccontextmanager
async def connected(address: str, *, lanes: int, limits: RunLimits) -> AsyncIterator[Client]:
    """Connect to a cluster for the length of the block, or make one of ``lanes`` workers.

    Raises ``MissingExtraError``, and ``SettingsError`` for an address where no scheduler answers.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingExtraError("--dask", "dask") from error
    _quieten()
    async with AsyncExitStack() as stack:
        if address == LOCAL:
            client = Client(
                await stack.enter_async_context(_local(lanes, limits)), asynchronous=True
            )
        else:
            client = Client(address, timeout=CLUSTER_CONNECT_S, asynchronous=True)
        try:
            with warnings.catch_warnings():
                # Of versions that differ; what matters of them shows when a part is run.
                warnings.simplefilter("ignore")
                await client
        except (OSError, ValueError, ImportError) as error:
            raise SettingsError(
                f"--dask {address}: no scheduler of Dask answers there ({error}); give the address "
                "that `dask scheduler` prints, such as tcp://10.0.0.1:8786, or local"
            ) from error
        try:
            yield client
        finally:
            with anyio.move_on_after(CLUSTER_CONNECT_S, shield=True):
                await client.close()


@asynccontextmanager
async def _local(lanes: int, limits: RunLimits) -> AsyncIterator[object]:
    import dask
    from distributed import LocalCluster

    # A port would run what any user of this machine sends; in one process there is none. The
    # work is that of the lanes, which are processes all the same. Dask opens its HTTP servers
    # in any case: on loopback here, without a page.
    with dask.config.set({f"distributed.{one}.http.routes": [] for one in ("scheduler", "worker")}):
        cluster = await LocalCluster(
            n_workers=lanes,
            threads_per_worker=max(1, limits.workers // lanes),
            memory_limit=limits.memory_bytes // lanes,
            resources={RESOURCE: 1},
            processes=False,
            dashboard_address=NO_PAGE,
            worker_dashboard_address=NO_PAGE,
            scheduler_kwargs={"dashboard": False},
            asynchronous=True,
        )
    try:
        yield cluster
    finally:
        with anyio.move_on_after(CLUSTER_CONNECT_S, shield=True):
            await cluster.close()


def _quieten() -> None:
    """Keep Dask's own log from the terminal: what matters of it is in the run's account."""
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
