"""Admit the viewer who has the page's address. Decided from the request alone.

The server listens on the loopback address only. The token in the path keeps other users and
programs of the machine out, the check of the host keeps out pages elsewhere that bend a name of
their own to this machine (DNS rebinding), and that of the origin keeps them from reading.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

#: Names of this machine for itself: a tunnel and a proxy on this machine use them too.
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
#: Bytes of chance in a token.
TOKEN_BYTES: Final = 24

#: What each answer forbids the browser: code and styles of others, frames, guesses, keeping.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_token(given: str, token: str) -> bool:
    """Return whether a text is the token, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def refusal(host: str | None, headers: Mapping[str, str], *, is_document: bool) -> str:
    """Return why a request is not answered, empty where it is.

    ``headers`` are those of the request. ``is_document``: a link from anywhere may lead to the
    page itself, but to nothing else of it.
    """
    if _name_of(f"//{host or ''}") not in LOOPBACK:
        return "this page answers to 127.0.0.1 and localhost only; let a proxy send that as Host"
    origin = headers.get("Origin")
    if origin is not None and _name_of(origin) not in LOOPBACK:
        return "this page answers to no other page"
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in {"none", "same-origin"} and not is_document:
        return "this page answers to no other page"
    return ""


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
