"""Signed URLs as they go onto the wire, and where a store may send a request on to.

A signature covers the URL to the letter, so nothing of it is changed but what HTTP cannot carry:
that is written as browsers write it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from yarl import URL

from bulkload.client.http.wire import Answer
from bulkload.errors import ClientError

#: Statuses that send a request on as it is; the others would make a PUT a GET.
KEEPING_THE_METHOD: Final = frozenset({307, 308})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: What browsers write as codes (WHATWG URL, the percent-encode sets): in the path, in the query.
_NOT_IN_PATHS: Final = re.compile(r'[^!-~]|["<>`{}]')
_NOT_IN_QUERIES: Final = re.compile(r'[^!-~]|["<>]')
#: What browsers drop: spaces around it, and tabs and line ends wherever they stand.
_DROPPED: Final = re.compile(r"[\t\r\n]")


def wire_url(url: str) -> URL:
    """Return a signed URL as it is asked for.

    Raises ``ClientError`` for what is no URL of ``http`` or ``https``. A name that only a
    container knows is reached as this machine.
    """
    parts = urlsplit(_DROPPED.sub("", url.strip()))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ClientError(
            "storage gave an invalid URL: only http and https are spoken, to a host that is named"
        )
    netloc = parts.netloc
    if parts.hostname == "host.docker.internal":
        netloc = netloc.replace("host.docker.internal", "localhost")
    path = _NOT_IN_PATHS.sub(_coded, parts.path)
    query = _NOT_IN_QUERIES.sub(_coded, parts.query)
    return URL(urlunsplit((parts.scheme, netloc, path, query, "")), encoded=True)


def redirected(url: str, answer: Answer) -> str | None:
    """Return where a store sends a request on to, None for nowhere that it may go.

    The store that the API named may name another, but not one that listens without encryption
    where it does not itself.
    """
    location = answer.headers.get("location", "")
    if answer.status not in _REDIRECTS or not location:
        return None
    there = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(there)
    is_open = new.scheme == "http" and old.scheme == "https"
    return None if is_open or new.scheme not in {"http", "https"} or not new.hostname else there


def _coded(found: re.Match[str]) -> str:
    return quote(found[0], safe="")
