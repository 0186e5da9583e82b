"""The proxies of the environment, as curl reads them."""

from __future__ import annotations

import pytest

from bulkload.client.http.proxy import proxy_of
from bulkload.errors import SettingsError

API = "https://api.example.com/v1"
PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, API, None),
        ({"https_proxy": PROXY}, API, PROXY),
        ({"HTTPS_PROXY": PROXY}, API, PROXY),
        ({"http_proxy": PROXY}, API, None),
        ({"http_proxy": PROXY}, "http://host/", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://host/", PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://host/", None),
        ({"all_proxy": PROXY}, API, PROXY),
        ({"ALL_PROXY": PROXY}, "http://host/", PROXY),
        ({"https_proxy": "http://one:1", "ALL_PROXY": PROXY}, API, "http://one:1"),
        ({"https_proxy": "proxy:3128"}, API, "http://proxy:3128"),
        ({"https_proxy": ""}, API, None),
    ],
)
def test_which_variable_names_the_proxy(
    environment: dict[str, str], url: str, expected: str | None
) -> None:
    assert proxy_of(url, environment) == expected


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("*", API, None),
        ("example.com", API, None),
        (".example.com", API, None),
        ("EXAMPLE.com", API, None),
        ("ample.com", API, PROXY),
        ("api.example.com.", API, None),
        ("other.org, example.com", API, None),
        ("other.org example.com", API, None),
        ("api.example.com:443", API, None),
        ("api.example.com:8443", API, PROXY),
        ("api.example.com:8443", "https://api.example.com:8443/", None),
        ("localhost", "http://127.0.0.1/", PROXY),
        ("127.0.0.1", "http://127.0.0.1/", None),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", None),
        ("127.0.0.1:8000", "http://127.0.0.1:9000/", PROXY),
        ("127.0.0.0/8", "http://127.1.2.3/", None),
        ("10.0.0.0/8", "http://127.0.0.1/", PROXY),
        ("::1", "http://[::1]:80/", None),
        ("[::1]", "http://[::1]/", None),
        ("[::1]:81", "http://[::1]:80/", PROXY),
        ("fd00::/8", "http://[fd12::1]/", None),
        ("fd00::/8", "http://127.0.0.1/", PROXY),
        ("", API, PROXY),
        (",", API, PROXY),
        (".", API, PROXY),
    ],
)
def test_what_is_reached_directly(no_proxy: str, url: str, expected: str | None) -> None:
    found = proxy_of(url, {"ALL_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert found == expected


@pytest.mark.parametrize("value", ["http://:bad", "http://host:port", "http://", "http://h:0"])
def test_a_value_that_names_no_proxy(value: str) -> None:
    with pytest.raises(SettingsError, match="https_proxy is not the URL of a proxy"):
        proxy_of(API, {"https_proxy": value})


def test_a_kind_that_is_not_spoken() -> None:
    with pytest.raises(SettingsError, match="ALL_PROXY names a proxy of the kind socks5://"):
        proxy_of(API, {"ALL_PROXY": "socks5://user:secret@host:1080"})


def test_no_password_in_an_error() -> None:
    with pytest.raises(SettingsError) as raised:
        proxy_of(API, {"https_proxy": "http://user:secret@:bad"})
    assert "secret" not in str(raised.value)
