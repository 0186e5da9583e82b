"""The S3 target: large bodies go to another server by multipart, and are fetched at confirm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import ionworks
import pytest
from moto.server import ThreadedMotoServer

from bulkload.localstudio import FaultKind, FaultRule, S3Target
from tests.localstudio.support import Api, OpenApi, made, series
from tests.localstudio.test_official_client import cell, connect, frame

pytestmark = pytest.mark.anyio

BUCKET = "uploads"
#: Just above the size from which the official client uses multipart.
LARGE = 17 * 1024 * 1024


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def target(s3_endpoint: str) -> S3Target:
    target = S3Target(endpoint=s3_endpoint, bucket=BUCKET)
    s3 = _client(target)
    s3.create_bucket(Bucket=BUCKET)
    return target


def _client(target: S3Target) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=target.endpoint,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
        aws_session_token=target.session_token,
    )


def test_credentials_are_in_no_repr(target: S3Target) -> None:
    assert "local" not in repr(target).replace("localhost", "")


async def test_official_client_uploads_large_files_by_multipart(
    open_api: OpenApi, target: S3Target, tmp_path: Path
) -> None:
    api = await open_api(s3=target)
    large = tmp_path / "large.bin"
    large.write_bytes(random.Random(1).randbytes(LARGE))
    ionworks.set_cache_directory(str(tmp_path / "cache"))

    def script() -> None:
        client = connect(api.studio)
        instance = cell(client)
        made = client.cell_measurement.create_file(instance.id, "SEM", [str(large)])
        assert client.cell_measurement.get_file(made.id, "large.bin") == large.read_bytes()
        raw = client.raw_data.upload(api.studio.project_id, str(large))
        assert client.raw_data.download(raw.id, use_cache=False) == large.read_bytes()

    await asyncio.to_thread(script)
    assert "storage.put" not in api.studio.requests.by_endpoint
    assert api.studio.requests.bytes_stored == 2 * LARGE


async def test_series_put_to_s3_is_processed(open_api: OpenApi, target: S3Target) -> None:
    api: Api = await open_api(s3=target)
    instance = await api.cell()
    begun = made(await api.initiate(instance))
    multipart = begun["uploads"][0]["multipart"]
    assert multipart["expires_at"]
    _client(target).put_object(Bucket=BUCKET, Key=multipart["object_path"], Body=series())
    made(await api.confirm(begun["measurement_id"], instance))
    await api.studio.processed()
    record = await api.measurement(begun["measurement_id"])
    assert record["processing_status"] == "ready"


async def test_small_bodies_still_go_by_put_and_missing_ones_are_missed(
    open_api: OpenApi, target: S3Target
) -> None:
    api: Api = await open_api(s3=target)
    instance = await api.cell()
    await api.upload(instance)
    absent = made(await api.initiate(instance, "absent"))["measurement_id"]
    assert (await api.confirm(absent, instance, name="absent")).status == 400


@pytest.mark.parametrize(("seconds", "shown"), [(None, False), (-5.0, True)])
async def test_expiry_of_the_credentials_is_a_switch(
    open_api: OpenApi, seconds: float | None, shown: object
) -> None:
    target = S3Target(endpoint="http://127.0.0.1:9", bucket=BUCKET, expires_in_s=seconds)
    api: Api = await open_api(s3=target)
    multipart = made(await api.initiate(await api.cell()))["uploads"][0]["multipart"]
    assert (multipart["expires_at"] is not None) is shown


@pytest.mark.parametrize("status", [504, 524])
async def test_official_client_falls_forward_to_s3_where_the_edge_gives_up(
    open_api: OpenApi, target: S3Target, status: int
) -> None:
    api: Api = await open_api(s3=target)
    api.studio.faults.add(FaultRule(kind=FaultKind.STATUS, endpoint="storage.put", status=status))

    def script() -> None:
        client = connect(api.studio)
        detail = {"measurement": {"name": "run"}, "time_series": frame()}
        made = client.cell_measurement.create(cell(client).id, detail)
        assert len(client.cell_measurement.time_series(made.id, use_cache=False)) == len(frame())

    await asyncio.to_thread(script)
