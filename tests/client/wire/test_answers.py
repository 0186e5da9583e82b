"""Every form of answer that was seen or can be thought of: read, or turned into one error."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.client.http.answers import error_of, read_answer
from bulkload.client.http.wire import Answer
from bulkload.core.text import MAX_MESSAGE_CHARACTERS
from bulkload.errors import (
    AnswerLostError,
    AuthenticationError,
    ClientError,
    ConflictError,
    IonworksError,
    PermissionDeniedError,
    TransientError,
    UnavailableError,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(status: int, body: Any = None, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=content,
    )


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error_code": "NOT_FOUND", "message": "no cell", "detail": None}, "no cell", "NOT_FOUND"),
        ({"detail": "Not authenticated"}, "Not authenticated", None),
        (
            {"detail": {"error_code": "CONFLICT", "message": "dup", "detail": {"a": 1}}},
            "dup",
            "CONFLICT",
        ),
        (
            {"detail": [{"loc": ["body", "name"], "msg": "field required", "type": "missing"}]},
            "body.name: field required",
            None,
        ),
        ({"detail": [{"loc": 3, "msg": None}, "odd", 7]}, "odd; 7", None),
        ({"detail": [{"msg": str(n)} for n in range(9)]}, "0; 1; 2; 3; 4; and 4 more", None),
        ([{"msg": "one"}, "two"], "one; two", None),
        ([], "Bad Request", None),
        ("just text", "just text", None),
        (7, "Bad Request", None),
        (None, "Bad Request", None),
        ({}, "Bad Request", None),
        ({"error_code": 7, "message": {"a": 1}}, "Bad Request", None),
        (b"", "Bad Request", None),
        (b"\xff\xfe\x00", "Bad Request", None),
        (b"[" * 100_000, "Bad Request", None),
    ],
)
def test_each_form_of_body_gives_an_error_with_its_words(
    body: Any, message: str, code: str | None
) -> None:
    error = error_of(made(400, body, x_correlation_id="c-1"), now=NOW)
    assert type(error) is ClientError
    assert (error.message, error.error_code, error.status_code) == (message, code, 400)
    assert error.correlation_id == "c-1"
    assert "c-1" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.data) == (error.message, error.data)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 405, 422])
def test_a_web_page_is_nobodys_answer_at_any_status(status: int) -> None:
    page = Answer(status=status, headers={"content-type": "text/html"}, body=b"<html>Oh</html>")
    with pytest.raises(AnswerLostError, match="a web page of another server") as raised:
        read_answer(page, method="GET", now=NOW)
    assert raised.value.remedy is not None


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (401, {"detail": "no"}, {}, AuthenticationError),
        (403, {"detail": "Invalid API key"}, {}, AuthenticationError),
        (403, {"detail": "token expired"}, {}, AuthenticationError),
        (403, {"detail": "not your project"}, {}, PermissionDeniedError),
        (403, None, {}, PermissionDeniedError),
        (404, None, {}, ClientError),
        (408, None, {}, UnavailableError),
        (409, None, {}, ConflictError),
        (413, None, {}, ClientError),
        (413, None, {"retry_after": "3"}, UnavailableError),
        (422, None, {}, ClientError),
        (425, None, {}, UnavailableError),
        (429, None, {}, UnavailableError),
        (500, None, {}, UnavailableError),
        (503, None, {"retry_after": "3"}, UnavailableError),
        (524, None, {}, UnavailableError),
        (302, None, {}, AnswerLostError),
        (407, None, {}, AnswerLostError),
        (999, None, {}, UnavailableError),
    ],
)
def test_the_status_decides_the_kind(
    status: int, body: Any, headers: dict[str, str], kind: type[IonworksError]
) -> None:
    error = error_of(made(status, body, **headers), now=NOW)
    assert type(error) is kind
    if isinstance(error, UnavailableError):
        assert error.retry_after_s == (3.0 if headers else None)


@pytest.mark.parametrize(
    "body",
    [
        {"error_code": "CONFLICT", "message": "m", "detail": {"existing_id": "s-42"}},
        {"detail": {"error_code": "CONFLICT", "message": "m", "detail": {"existing_id": "s-42"}}},
        {"detail": {"existing_id": "s-42"}},
        {"existing_cell_specification_id": "s-42", "detail": "dup"},
        {"detail": {"existing_cell_instance_id": "s-42", "message": "dup"}},
    ],
)
def test_a_conflict_names_the_record_wherever_it_says_so(body: Any) -> None:
    error = error_of(made(409, body), now=NOW)
    assert isinstance(error, ConflictError)
    assert error.existing_id == "s-42"


@pytest.mark.parametrize(
    "body", [{"detail": "channel busy"}, {"detail": {"existing_id": None}}, [], None, b""]
)
def test_a_conflict_without_a_record_has_no_id(body: Any) -> None:
    error = error_of(made(409, body), now=NOW)
    assert isinstance(error, ConflictError)
    assert error.existing_id is None


def test_the_date_of_the_server_is_the_one_its_retry_after_is_meant_by() -> None:
    error = error_of(
        made(
            503,
            retry_after="Thu, 01 Jan 2026 00:00:30 GMT",
            date="Thu, 01 Jan 2026 00:00:10 GMT",
        ),
        now=datetime(2026, 1, 2, tzinfo=UTC),  # our clock is a day ahead
    )
    assert isinstance(error, UnavailableError)
    assert error.retry_after_s == 20.0


def test_a_server_that_echoes_the_key_does_not_spread_it() -> None:
    def mask(text: str) -> str:
        return text.replace("the-key", "***")

    error = error_of(made(401, {"detail": "bad key the-key"}), now=NOW, mask=mask)
    assert "the-key" not in repr(error.__dict__) + str(error)


def test_text_of_a_server_is_one_bounded_line() -> None:
    error = error_of(made(400, {"detail": "a\r\n\x1b[31mb" + "x" * 5000}), now=NOW)
    assert error.message.startswith("a [31mb")
    assert len(error.message) == MAX_MESSAGE_CHARACTERS + 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": "m', b"\x1f\x8b\x00"])
def test_a_good_status_without_json_is_a_lost_answer(method: str, body: bytes) -> None:
    with pytest.raises(AnswerLostError) as caught:
        read_answer(made(200, body), method=method, now=NOW)
    assert isinstance(caught.value, TransientError)


def test_what_need_not_say_anything_may_be_empty() -> None:
    assert read_answer(made(204, b""), method="POST", now=NOW) is None
    assert read_answer(made(200, b"<gone>"), method="DELETE", now=NOW) is None
    assert read_answer(made(200, None), method="POST", now=NOW) is None
    assert read_answer(made(201, {"id": 1}), method="POST", now=NOW) == {"id": 1}


@given(
    st.integers(100, 999),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["detail", "message", "error_code", "existing_id", "loc", "msg"]),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_nothing_that_a_server_says_crashes_the_client(status: int, body: bytes) -> None:
    told = "an answer"
    try:
        read_answer(made(status, body), method="GET", now=NOW)
    except IonworksError as error:
        told = str(error)
    assert told
