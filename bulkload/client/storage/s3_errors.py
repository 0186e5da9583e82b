"""What an S3 client's exceptions mean. Nothing of botocore is imported before it is needed."""

from __future__ import annotations

from typing import Any, Final

import aiohttp

from bulkload.client.http.api_session import TIMED_OUT
from bulkload.core.text import one_line
from bulkload.errors import (
    AnswerLostError,
    ClientError,
    IonworksError,
    UnavailableError,
    UnreachableError,
)

#: Codes by which a store says that these credentials will not do; another way may.
REFUSED_CREDENTIALS: Final = frozenset(
    {
        "AccessDenied",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
    }
)
#: Those of them that new credentials cure.
EXPIRED_CREDENTIALS: Final = frozenset({"ExpiredToken", "TokenRefreshRequired"})
#: The upload id is not known: it was aborted, or its completion went through.
NO_SUCH_UPLOAD: Final = "NoSuchUpload"

_CANNOT_CONNECT: Final = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "SSLError", "ProxyConnectionError"}
)
_TIMED_OUT: Final = frozenset({"ReadTimeoutError", "TimeoutError", "SocketTimeoutError"})
#: Codes of a store that is busy, whatever their status.
_BUSY: Final = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
)


def s3_error_of(error: BaseException) -> IonworksError | None:
    """Return our error for one of the S3 client's, None where it is not one of them."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _answered(error.response)
    if not isinstance(error, BotoCoreError | aiohttp.ClientError | OSError | TimeoutError):
        return None
    name = type(error).__name__
    if name in _CANNOT_CONNECT:
        return UnreachableError("cannot connect to the store")
    lost = AnswerLostError(f"no answer from the store: {name}")
    if name in _TIMED_OUT:
        lost.cause = TIMED_OUT
    return lost


def _answered(response: Any) -> IonworksError:
    said = response.get("Error", {})
    code = str(said.get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = one_line(f"storage rejected the request: {code}: {said.get('Message', '')}")
    is_busy = code in _BUSY or (isinstance(status, int) and (status >= 500 or status == 429))
    kind = UnavailableError if is_busy else ClientError
    return kind(message, status, error_code=code or None)
