"""Translate an answer into its JSON, or the error that it stands for, whatever its body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from bulkload.client.http.api_session import PROXY_CREDENTIALS
from bulkload.client.http.limits import MAX_FINDINGS
from bulkload.client.http.wire import Answer
from bulkload.core.conflict import existing_id
from bulkload.core.flow.retry import parse_http_date, parse_retry_after
from bulkload.core.text import one_line
from bulkload.errors import (
    AnswerLostError,
    AuthenticationError,
    ClientError,
    ConflictError,
    IonworksError,
    PermissionDeniedError,
    UnavailableError,
)

#: Words by which a 403 says that it concerns the key, not the one thing asked for.
_CONCERNS_KEY: Final = re.compile(
    r"\b(api[ _-]?keys?|tokens?|credentials?|authenticat\w+|x-api-key|bearer|revoked|expired)\b",
    re.IGNORECASE,
)
#: Statuses without a body by definition.
_NO_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_ALWAYS_TRANSIENT: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


def read_answer(
    answer: Answer, *, method: str, now: datetime, mask: Callable[[str], str] = str
) -> Any:
    """Return the JSON of an answer, None for an empty one, or raise the error it stands for."""
    if not 200 <= answer.status < 300:
        raise error_of(answer, now=now, mask=mask)
    if (stranger := _not_from_studio(answer)) is not None:
        raise stranger
    # What a deletion says besides its status is of no use to anybody.
    if answer.status in _NO_BODY or method == "DELETE":
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        what = "an empty body" if not answer.body.strip() else "a body that is not JSON"
        raise AnswerLostError(
            f"{what} where JSON was expected (content type"
            f" {one_line(answer.headers.get('content-type', 'absent'))})",
            answer.status,
            correlation_id=_correlation_id(answer),
        ) from None


def error_of(answer: Answer, *, now: datetime, mask: Callable[[str], str] = str) -> IonworksError:
    """Return the error that an answer stands for, with what its body says."""
    if (stranger := _not_from_studio(answer)) is not None:
        return stranger
    body = _parse(mask(answer.body.decode("utf-8", errors="replace")))
    message, error_code, data = _read_body(body)
    retry_after_s = parse_retry_after(
        answer.headers.get("retry-after"), parse_http_date(answer.headers.get("date")) or now
    )
    error = _kind(answer.status, message or "", retry_after_s)(
        message or _status_text(answer),
        answer.status,
        error_code=error_code,
        data=data,
        correlation_id=_correlation_id(answer),
    )
    if isinstance(error, UnavailableError):
        error.retry_after_s = retry_after_s
    if isinstance(error, ConflictError):
        error.existing_id = existing_id(body)
    return error


def _not_from_studio(answer: Answer) -> AnswerLostError | None:
    """Return the error of an answer that something between here and Studio gave.

    A proxy, a gateway, a login page, or a name that leads to another machine for a while: none
    of them knows our records, so what they answer concerns no single measurement.
    """
    if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        error = AnswerLostError("the proxy answered instead", answer.status)
        error.remedy = PROXY_CREDENTIALS
    elif 300 <= answer.status < 400:
        target = one_line(answer.headers.get("location", ""))
        error = AnswerLostError(
            f"{_status_text(answer)} to {target or 'no address'} came instead", answer.status
        )
        error.remedy = "set IONWORKS_API_URL (or --url) to the address that answers itself"
    elif is_web_page(answer) and answer.status < 500:
        error = AnswerLostError("a web page of another server came instead", answer.status)
        error.remedy = (
            "check the address in IONWORKS_API_URL (or --url), and check whether a proxy or a "
            "login page answers in its place"
        )
    else:
        return None
    return error


def is_web_page(answer: Answer) -> bool:
    """Return whether an answer is a web page: neither Studio nor a store sends one."""
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return is_html or answer.body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))


def words_of(body: bytes) -> str:
    """Return what an error's JSON body says, in one line; empty where it says nothing."""
    message, error_code, _ = _read_body(_parse(body.decode("utf-8", errors="replace")))
    return " ".join(filter(None, (error_code, message)))


def _kind(status: int, message: str, retry_after_s: float | None) -> type[IonworksError]:
    if status in _ALWAYS_TRANSIENT or status >= 500:
        return UnavailableError
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and retry_after_s is not None:
        return UnavailableError
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError
    if status == HTTPStatus.FORBIDDEN:
        return AuthenticationError if _CONCERNS_KEY.search(message) else PermissionDeniedError
    return ConflictError if status == HTTPStatus.CONFLICT else ClientError


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_body(body: Any) -> tuple[str | None, str | None, Mapping[str, Any] | None]:
    """Return message, error code and data of a body of any form."""
    if isinstance(body, list):
        return _findings(body), None, None
    if not isinstance(body, Mapping):
        return (one_line(body) or None if isinstance(body, str) else None), None, None
    detail = body.get("detail")
    if "error_code" not in body and isinstance(detail, Mapping):
        body, detail = detail, detail.get("detail")
    message = body.get("message")
    if not isinstance(message, str) or not message.strip():
        message = _findings(detail) if isinstance(detail, list) else detail
    code = body.get("error_code")
    return (
        one_line(message) or None if isinstance(message, str) else None,
        one_line(code) if isinstance(code, str) else None,
        body,
    )


def _findings(items: list[Any]) -> str | None:
    """Spell out the findings of a 422: where, and what."""
    said = [_finding(item) for item in items[:MAX_FINDINGS]]
    more = len(items) - len(said)
    text = "; ".join(filter(None, said)) + (f"; and {more} more" if more > 0 else "")
    return one_line(text) or None


def _finding(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    where = item.get("loc")
    place = ".".join(str(part) for part in where) if isinstance(where, list) else ""
    said = str(item.get("msg") or item.get("message") or item.get("type") or "")
    return f"{place}: {said}" if place and said else place or said


def _status_text(answer: Answer) -> str:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "unknown status"
    if 300 <= answer.status < 400:
        phrase += " (a redirect, which is not followed)"
    return phrase


def _correlation_id(answer: Answer) -> str | None:
    text = answer.headers.get("x-correlation-id")
    return one_line(text) if text else None
