"""Which proxy the environment names for a URL, as curl reads it.

``http_proxy``, ``https_proxy`` and ``all_proxy`` name proxies (in small or capital letters),
``no_proxy`` the hosts that are reached directly: names with all below them, addresses, networks
in CIDR notation, any of them with a port, or ``*``.
"""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.request
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from bulkload.errors import SettingsError

_PORTS: Final = {"http": 80, "https": 443}
#: What the HTTP library can speak to; SOCKS needs another one.
_SPOKEN: Final = frozenset({"http", "https"})


def proxy_for(url: str) -> str | None:
    """Return the proxy of ``url`` by this process's environment, else by the system's settings.

    aiohttp would read ``.netrc`` along with the proxies, and send its credentials.
    Raises ``SettingsError`` as ``proxy_of`` does.
    """
    found = proxy_of(url, os.environ)
    if found is not None or urllib.request.getproxies_environment():
        return found
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def proxy_of(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for ``url``, None for a direct connection.

    Raises ``SettingsError`` for a proxy that is none, or of a kind that is not spoken here.
    """
    parts = urlsplit(url)
    name, value = _named(parts.scheme, environment)
    if not value or _is_direct(url, environment.get("no_proxy") or environment.get("NO_PROXY", "")):
        return None
    return _checked(name, value)


def _named(scheme: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that names the proxy of a scheme, and its value."""
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if scheme == "http" and "REQUEST_METHOD" in environment:
        # In a CGI script HTTP_PROXY is a header that anybody may send.
        names.remove("HTTP_PROXY")
    return next(((name, environment[name]) for name in names if environment.get(name)), ("", ""))


def _checked(name: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    # The value may hold a password: only the variable is named.
    if not is_whole:
        raise SettingsError(f"{name} is not the URL of a proxy; write it as http://host:port")
    if parts.scheme not in _SPOKEN:
        raise SettingsError(
            f"{name} names a proxy of the kind {parts.scheme}://, which is not supported; "
            "name an http:// or https:// proxy"
        )
    return url


def _is_direct(url: str, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` covers the host of a URL."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or _PORTS.get(parts.scheme)
    return any(_covers(entry, host, port) for entry in re.split(r"[\s,]+", no_proxy) if entry)


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    pattern, wanted = _split_port(entry.lower())
    if wanted is not None and wanted != port:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        suffix = pattern.strip(".")
        return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))
    try:
        network = ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False
    return address.version == network.version and address in network


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split ``host:port``; an IPv6 address has a port only behind brackets."""
    if found := re.fullmatch(r"\[(?P<host>[^\]]*)\](?::(?P<port>\d+))?", entry):
        return found["host"], None if found["port"] is None else int(found["port"])
    if found := re.fullmatch(r"(?P<host>[^:]*):(?P<port>\d+)", entry):
        return found["host"], int(found["port"])
    return entry, None
