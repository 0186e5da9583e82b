"""The S3 side of the storage: what a client put there by multipart is fetched at confirm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bulkload.errors import MissingExtraError
from bulkload.localstudio.studio import StudioState
from bulkload.localstudio.studio_settings import S3Target


async def collect(studio: StudioState, keys: Sequence[str]) -> None:
    """Fetch the objects that are not here yet from S3, where one is offered and has them."""
    target = studio.settings.s3
    missing = [key for key in keys if not studio.objects.exists(key)]
    if target is None or not missing:
        return
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session
    except ImportError as error:
        raise MissingExtraError("An S3 target of the local Studio", "cloud") from error
    client = get_session().create_client(
        "s3",
        endpoint_url=target.endpoint,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
        aws_session_token=target.session_token,
        config=AioConfig(s3={"addressing_style": "path"}),
    )
    async with client as s3:
        for key in missing:
            arrived = studio.objects.incoming()
            if await _fetch(s3, target, key, arrived):
                studio.requests.bytes_stored += arrived.stat().st_size
                studio.objects.adopt(arrived, key)


async def _fetch(s3: Any, target: S3Target, key: str, arrived: Path) -> bool:
    try:
        found = await s3.get_object(Bucket=target.bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return False
    with arrived.open("wb") as file:
        async for piece in found["Body"].iter_chunks():
            file.write(piece)
    return True
