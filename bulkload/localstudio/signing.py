"""Signed URLs: who holds one may do one thing with one object until one moment."""

from __future__ import annotations

import hmac
from typing import Literal
from urllib.parse import urlencode

Verb = Literal["PUT", "GET"]


class UrlSigner:
    """Mints and checks the URLs of the storage."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def token(self, verb: Verb, key: str, expires: int, file_name: str = "") -> str:
        """Return the signature for one act on one object until ``expires`` (epoch seconds)."""
        message = f"{verb}\n{key}\n{expires}\n{file_name}".encode()
        return hmac.digest(self._secret, message, "sha256").hex()

    def url(self, base: str, verb: Verb, key: str, expires: int, file_name: str = "") -> str:
        """Return the URL. ``file_name`` is what a download is offered as."""
        query = {"expires": str(expires), "token": self.token(verb, key, expires, file_name)}
        if file_name:
            query["name"] = file_name
        return f"{base}/object/{key}?{urlencode(query)}"

    def is_genuine(self, token: str, verb: Verb, key: str, expires: int, file_name: str) -> bool:
        """Tell whether we made this token for this act."""
        return hmac.compare_digest(token, self.token(verb, key, expires, file_name))
