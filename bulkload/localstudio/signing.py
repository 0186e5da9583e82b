"""Signed URLs: who holds one may do one thing with one object until one moment."""

from __future__ import annotations

import hmac
from typing import Literal
from urllib.parse import quote

Verb = Literal["PUT", "GET"]


class UrlSigner:
    """Mints and checks the URLs of the storage."""

    def __init__(self, secret: str) -> None:
        #: Keyed once: copies are cheaper than a new one for each URL.
        self._keyed = hmac.new(secret.encode(), digestmod="sha256")

    def token(self, verb: Verb, key: str, expires: int, file_name: str = "") -> str:
        """Return the signature for one act on one object until ``expires`` (epoch seconds)."""
        keyed = self._keyed.copy()
        keyed.update(f"{verb}\n{key}\n{expires}\n{file_name}".encode())
        return keyed.hexdigest()

    def url(self, base: str, verb: Verb, key: str, expires: int, file_name: str = "") -> str:
        """Return the URL. ``file_name`` is what a download is offered as."""
        token = self.token(verb, key, expires, file_name)
        name = f"&name={quote(file_name, safe='')}" if file_name else ""
        return f"{base}/object/{key}?expires={expires}{name}&token={token}"

    def is_genuine(self, token: str, verb: Verb, key: str, expires: int, file_name: str) -> bool:
        """Return whether we made this token for this act."""
        expected = self.token(verb, key, expires, file_name)
        return hmac.compare_digest(token.encode(), expected.encode())
