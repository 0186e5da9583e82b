"""A client that is left closes what it opened, whatever ends the work inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from bulkload.client.http import transport
from bulkload.client.http.api_session import open_session
from bulkload.client.storage import store_http as storage_http
from bulkload.localstudio import LocalStudio
from tests.client.api.conftest import connect


@pytest.mark.anyio
async def test_a_cancelled_run_leaves_no_connection_open(
    studio: LocalStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing waits for connections: a wait that is cancelled must not skip the next one."""
    opened: list[aiohttp.ClientSession] = []

    def noted(**settings: Any) -> aiohttp.ClientSession:
        opened.append(open_session(**settings))
        return opened[-1]

    for module in (storage_http, transport):
        monkeypatch.setattr(module, "open_session", noted)
    (file := tmp_path / "raw.mpr").write_bytes(b"12345678")
    with anyio.CancelScope() as scope:
        async with connect(studio) as client:
            # One request to the API, one to the store.
            await client.raw_data.upload(None, file)
            assert len(opened) == 2
            scope.cancel()
    assert [session.closed for session in opened] == [True, True]
