"""aiohttp, set up once: bounded, impatient by phase, and with its own retry out of the way.

aiohttp resends GET, PUT and DELETE by itself when a kept-alive connection breaks. Retry belongs
to one layer, and a body that was read once must not be sent twice: so connection errors are
turned into ours by a middleware, below the place where aiohttp would look for them.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError
from typing import Final

import aiohttp
import anyio

from bulkload.client.http.limits import (
    CHUNK_BYTES,
    CONNECT_TIMEOUT_S,
    DNS_CACHE_S,
    KEEP_ALIVE_S,
    READ_TIMEOUT_S,
    TOTAL_TIMEOUT_S,
)
from bulkload.core.version import VERSION
from bulkload.errors import AnswerLostError, IonworksError, UnreachableError

#: ``cause`` of an answer that did not come in time: a sign of load, unlike a broken connection.
TIMED_OUT: Final = "timed_out"

#: What to do where a proxy asks for credentials.
PROXY_CREDENTIALS: Final = (
    "the proxy asks for credentials: give them in its URL, http://user:password@host:port"
)

#: Errors that prove that nothing was sent.
_NOTHING_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)
#: Errors after which it is unknown whether the request was carried out.
_ANSWER_LOST: Final = (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError, CookieError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Time limits of the phases of an exchange, in seconds."""

    #: To connect, TLS included.
    connect_s: float = CONNECT_TIMEOUT_S
    #: For the next byte of an answer, the first one included.
    read_s: float = READ_TIMEOUT_S
    #: For a whole exchange; None where bodies are large and progress is watched instead.
    total_s: float | None = TOTAL_TIMEOUT_S


def open_session(
    *, connections: int, timeouts: Timeouts, headers: Mapping[str, str], decompress: bool
) -> aiohttp.ClientSession:
    """Open a session that resends nothing, follows nothing and remembers no cookie.

    It opens no more than so many connections, with 0 as many as it has requests in flight.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections, ttl_dns_cache=DNS_CACHE_S, keepalive_timeout=KEEP_ALIVE_S
        ),
        timeout=aiohttp.ClientTimeout(
            total=timeouts.total_s, sock_connect=timeouts.connect_s, sock_read=timeouts.read_s
        ),
        headers={"User-Agent": f"bulkload/{VERSION}", **headers},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=decompress,
        middlewares=(_translate_errors,),
    )


async def close_session(session: aiohttp.ClientSession) -> None:
    """Close a session's connections, even while the work around it is being cancelled."""
    with anyio.CancelScope(shield=True):
        await session.close()


async def _translate_errors(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except _ANSWER_LOST as error:
        connector = request.session.connector
        if isinstance(error, _NOTHING_SENT) and isinstance(connector, aiohttp.TCPConnector):
            # The name may lead elsewhere by now.
            connector.clear_dns_cache()
        raise translate(error, request.url.host) from error


def translate(error: BaseException, host: str | None) -> IonworksError:
    """Return our error for one of aiohttp's. The URL stays out of it: it may be a secret."""
    what = _reason(error)
    if isinstance(error, _NOTHING_SENT):
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            host = f"the proxy {error.host}"
        unreachable = UnreachableError(f"cannot connect to {host}: {what}")
        unreachable.remedy = _remedy(error)
        return unreachable
    lost = AnswerLostError(f"no answer from {host}: {what}")
    if isinstance(error, TimeoutError):
        lost.cause = TIMED_OUT
    return lost


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        verified = getattr(error.certificate_error, "verify_message", "")
        return "its certificate is not trusted" + (f" ({verified})" if verified else "")
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "it does not speak TLS as expected"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name is not known"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _remedy(error: BaseException) -> str | None:
    """Return what to change for an error that time does not cure."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            "check the address; where your organization signs its own certificates, give the "
            "file of its authority in SSL_CERT_FILE"
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "check the address: https or http, and the port"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        if error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return PROXY_CREDENTIALS
        return "check the proxy in HTTPS_PROXY, or name the host in NO_PROXY"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "check the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
    return None


async def in_chunks(content: bytes) -> AsyncIterator[bytes]:
    """Return ``content`` piece by piece, so that a large body does not hold up the loop."""
    view = memoryview(content)
    for start in range(0, len(view), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])
