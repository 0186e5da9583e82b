"""Signed URLs as they go onto the wire, and where a store may send a request on to.

A signature covers the URL to the letter, so nothing of it is changed but what HTTP cannot carry:
that is written as browsers write it.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from yarl import URL

from bulkload.client.http.wire import Answer
from bulkload.core.text import one_line
from bulkload.errors import AnswerLostError, ClientError

#: Statuses that send any request on as it is; the others would make a PUT a GET.
_KEEPING_THE_METHOD: Final = frozenset({307, 308})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
#: What to look at where something else answers than the store that Studio named.
NOT_THE_STORE: Final = "check whether a proxy, a gateway or a login page answers in its place"
#: What browsers write as codes (WHATWG URL, the percent-encode sets): in the path, in the query.
_NOT_IN_PATHS: Final = re.compile(r'[^!-~]|["<>`{}]')
_NOT_IN_QUERIES: Final = re.compile(r'[^!-~]|["<>]')
#: What browsers drop: spaces around it, and tabs and line ends wherever they stand.
_DROPPED: Final = re.compile(r"[\t\r\n]")


def wire_url(url: str) -> URL:
    """Return a signed URL as it is asked for.

    Raises ``ClientError`` for what is not a URL of ``http`` or ``https``. A name that only a
    container knows is reached as this machine.
    """
    url = _DROPPED.sub("", url.strip())
    if store_of(url) is None:
        raise ClientError(
            "storage gave an invalid URL: only http and https are supported, to a named host"
        )
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.hostname == "host.docker.internal":
        netloc = netloc.replace("host.docker.internal", "localhost")
    path = _NOT_IN_PATHS.sub(_coded, parts.path)
    query = _NOT_IN_QUERIES.sub(_coded, parts.query)
    return URL(urlunsplit((parts.scheme, netloc, path, query, "")), encoded=True)


def host_of(url: str) -> str:
    """Return a store's name without what may be secret of its URL."""
    return urlsplit(url).netloc.rpartition("@")[2]


def store_of(url: str) -> tuple[str, int] | None:
    """Return the host and the port that a URL leads to; None for what is not a URL of HTTP."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def redirected(
    url: str, answer: Answer, named: Container[tuple[str, int] | None], *, is_put: bool
) -> str | None:
    """Return where a store sends a request on to, None where its answer is no redirect.

    A signed URL is a credential for one object, and a body is data of the lab: both go only to
    the stores that the API named (``named``, as :func:`store_of` gives them), never from
    encryption to none, and a PUT only where it stays one. S3 sends requests on within its own
    domain, but a URL that is signed for one host is not valid on another.

    Raises ``AnswerLostError`` for any other redirect: nothing was sent there.
    """
    if answer.status not in _REDIRECTS:
        return None
    location = answer.headers.get("location", "")
    there = urljoin(url, location) if location else ""
    old, new = urlsplit(url), urlsplit(there)
    reason = None
    if is_put and answer.status not in _KEEPING_THE_METHOD:
        reason = f"by a {answer.status}, which no store uses for an upload"
    elif old.scheme == "https" and new.scheme == "http":
        reason = "without encryption"
    elif (store := store_of(there)) is None or store not in named:
        reason = "which Studio did not name"
    if reason is None:
        return there
    error = AnswerLostError(
        f"{host_of(url)} redirects the request to {one_line(host_of(there)) or 'no address'},"
        f" {reason}: nothing was sent there",
        answer.status,
    )
    error.remedy = NOT_THE_STORE
    raise error


def _coded(found: re.Match[str]) -> str:
    return quote(found[0], safe="")
