"""The seam of the client: one request in, one answer out, one attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bulkload.client.http.bodies import compress_if_large, encode_json, encode_query


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call as it goes out, encoded once however often it is sent. Credentials are not in it."""

    method: str
    #: Absolute path, escaped.
    path: str
    #: ``?a=1`` or empty.
    query: str = ""
    content: bytes | None = field(default=None, repr=False)
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said, unread: any status, any body."""

    status: int
    #: Looked up by names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Sends requests."""

    async def send(self, request: Request) -> Answer:
        """Make one attempt.

        Raises ``UnreachableError`` where nothing was sent and ``AnswerLostError`` where no whole
        answer came; each answer, good or bad, is given back.
        """

    async def aclose(self) -> None:
        """Close what it holds."""


def make_request(
    method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None
) -> Request:
    """Encode a call; ``json=None`` sends no body."""
    content, encoding = (None, None) if json is None else compress_if_large(encode_json(json))
    return Request(
        method=method,
        path=path,
        query=encode_query(params),
        content=content,
        content_encoding=encoding,
    )
