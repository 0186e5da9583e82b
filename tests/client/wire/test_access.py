"""Where Studio is, and what is told to whom."""

from __future__ import annotations

import pytest

from bulkload.client.http.access import DEFAULT_URL, Access, resolve_access
from bulkload.errors import SettingsError

ENV = {
    "IONWORKS_API_KEY": "env-key",
    "IONWORKS_API_TOKEN": "env-token",
    "IONWORKS_API_URL": "https://studio.example/api/",
    "IONWORKS_ORGANIZATION_ID": "org",
}


def test_within_the_environment_a_token_outranks_a_key() -> None:
    access = resolve_access(environ=ENV)
    assert access.headers()["Authorization"] == "Bearer env-token"
    assert "X-API-Key" not in access.headers()
    assert access.headers()["X-Organization-Id"] == "org"


def test_a_key_given_suppresses_the_token_of_the_environment() -> None:
    headers = resolve_access(api_key="mine", environ=ENV).headers()
    assert headers["X-API-Key"] == "mine"
    assert "Authorization" not in headers


def test_a_token_given_outranks_a_key_given() -> None:
    headers = resolve_access(api_key="key", api_token="token", environ={}).headers()
    assert headers["Authorization"] == "Bearer token"
    assert "X-API-Key" not in headers


def test_the_base_url_loses_its_slashes_and_has_a_default() -> None:
    assert resolve_access(environ=ENV).base_url == "https://studio.example/api"
    assert resolve_access(api_key="k", environ={}).base_url == DEFAULT_URL


@pytest.mark.parametrize(
    "url", ["studio.example", "ftp://x", "https://", "https://me:pw@host", "https://h/?a=1"]
)
def test_what_is_no_url_of_an_api_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_access(api_key="k", base_url=url, environ={})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("key", ["with\nnewline", "ümlaut"])
def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_access(api_key=key, environ={})
    assert key not in str(caught.value)


def test_no_credentials_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(SettingsError, match="IONWORKS_API_KEY"):
        resolve_access(environ={})


def test_secrets_do_not_show() -> None:
    access = Access(base_url="https://h", api_key="s3cret", api_token="t0ken")
    assert "s3cret" not in repr(access)
    assert "t0ken" not in repr(access)
    assert access.mask("key s3cret, token t0ken") == "key ***, token ***"
