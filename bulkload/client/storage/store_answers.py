"""Translate a store's answer, in XML, JSON or without a body, into an error of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final

from bulkload.client.http.answers import error_of, words_of
from bulkload.client.http.wire import Answer
from bulkload.client.storage.signed_urls import NOT_THE_STORE
from bulkload.core.text import one_line
from bulkload.errors import (
    AnswerLostError,
    ClientError,
    ExpiredUrlError,
    IonworksError,
    PermissionDeniedError,
    TransientError,
)

#: Words by which a store says that a signed URL is over: S3 and its kin (Request has expired,
#: ExpiredToken), Supabase ("exp" claim, InvalidJWT), Azure (signed expiry time). And those by
#: which a store whose clock is behind says that it has not begun: a later one is the remedy too.
_EXPIRED: Final = re.compile(
    r"expir|\bexp\b|invalid ?jwt|jwt|tokenrefresh|not (yet )?valid|time ?frame|TooSkewed|\bnbf\b",
    re.IGNORECASE,
)
#: Words by which a store says that no URL will do.
_FOR_GOOD: Final = re.compile(
    r"quota|exceed|limit|suspend|disabled|not allowed|forbidden|denied|payment|billing",
    re.IGNORECASE,
)
#: Words by which a store says that there is an object under this URL, and that it stays.
_EXISTS: Final = re.compile(r"duplicate|already exists", re.IGNORECASE)
_XML_FIELD: Final = re.compile(r"<(Code|Message)>([^<]{1,500})</\1>")

#: Headers in which a store reports the length of what it stored.
_SIZE_HEADERS: Final = ("x-amz-object-size", "x-goog-stored-content-length")
_MD5_ETAG: Final = re.compile(r'"?([0-9a-fA-F]{32})"?')
#: Ways of encryption under which an ETag looks like an MD5 and is none.
_OPAQUE_ETAG_HEADERS: Final = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def storage_error_of(answer: Answer, *, now: datetime) -> IonworksError:
    """Return the error that a store's answer stands for."""
    error = error_of(answer, now=now)
    if 300 <= answer.status < 400:
        # Where it leads to stays out of it: a signed URL is a secret.
        error = AnswerLostError("storage redirected the request more than once", answer.status)
    if isinstance(error, TransientError):
        is_stranger = 300 <= answer.status < 400 or error.remedy is not None
        if is_stranger and answer.status != HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            error.remedy = NOT_THE_STORE
        return error
    said = _xml_text(answer.body) or words_of(answer.body)
    kind = _kind(answer.status, said)
    return kind(f"storage rejected the request: {said or error.message}", answer.status)


def _kind(status: int, said: str) -> type[ClientError]:
    if _EXISTS.search(said) or status == 409:
        # Perhaps our own, whole or not: only a new target tells for certain.
        return ExpiredUrlError
    if status in {400, 401, 403, 410} and _EXPIRED.search(said):
        return ExpiredUrlError
    if status in {401, 403}:
        # A refusal without a reason is most often an old URL, and a new one is the remedy.
        return PermissionDeniedError if _FOR_GOOD.search(said) else ExpiredUrlError
    return ClientError


def _xml_text(body: bytes) -> str:
    fields = _XML_FIELD.findall(body[:4096].decode("utf-8", errors="replace"))
    return one_line(": ".join(text for _, text in fields))


def reported_md5(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 that a store reports, None where its ETag is something else."""
    if any(name in headers for name in _OPAQUE_ETAG_HEADERS):
        return None
    match = _MD5_ETAG.fullmatch(headers.get("etag", "").strip())
    return match[1].lower() if match else None


def reported_size(headers: Mapping[str, str]) -> int | None:
    """Return the length that a store reports of what it stored, None where it reports none."""
    for name in _SIZE_HEADERS:
        text = headers.get(name, "")
        if text.isascii() and text.isdigit():
            return int(text)
    return None
