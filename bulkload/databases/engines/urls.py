"""Database URLs: which engine, where, and the password apart from everything that is shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

#: Environment variable of the password.
PASSWORD_VARIABLE: Final = "BULKLOAD_SQL_PASSWORD"  # noqa: S105 - a variable's name
#: What stands in place of a password.
MASK: Final = "***"
#: Service under which a keyring holds passwords; the user name is the masked URL.
KEYRING_SERVICE: Final = "bulkload"

_QUERY_SECRET: Final = re.compile(r"(?i)\b(password|passwd|pwd|sslpassword)=[^&;\s]*")
_ACCESS_SUFFIXES: Final = (".mdb", ".accdb", ".res")


class Engine(StrEnum):
    """Who answers the queries."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    ACCESS = "access"
    OTHER = "other"


_SCHEMES: Final = {
    "postgresql": Engine.POSTGRESQL,
    "postgres": Engine.POSTGRESQL,
    "timescaledb": Engine.POSTGRESQL,
    "mysql": Engine.MYSQL,
    "mariadb": Engine.MYSQL,
    "sqlite": Engine.SQLITE,
    "access": Engine.ACCESS,
}


class UrlError(ValueError):
    """A URL names no database that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A database's address. The password is in no text that this makes."""

    engine: Engine
    #: The URL without a password: for messages, reports and files.
    masked: str
    user: str | None = None
    host: str | None = None
    port: int | None = None
    #: Name of the database.
    database: str = ""
    #: The file of SQLite and Access.
    path: Path | None = None
    #: Everything behind the question mark.
    options: str = ""
    #: The password that the URL itself holds.
    stated_password: str | None = field(default=None, repr=False)
    scheme: str = ""

    @property
    def password(self) -> str | None:
        """The password from the environment, the URL or the keyring, in this order."""
        return os.environ.get(PASSWORD_VARIABLE) or self.stated_password or self._from_keyring()

    def _from_keyring(self) -> str | None:
        if self.user is None:
            return None
        try:
            import keyring
            import keyring.errors
        except ImportError:
            return None
        try:
            found: str | None = keyring.get_password(KEYRING_SERVICE, self.masked)
        except keyring.errors.KeyringError:
            # None is set up on this machine, or it stays locked: then the server decides.
            return None
        return found

    def uri(self, scheme: str) -> str:
        """Return the URL with its password, for a driver and nothing else."""
        user = "" if self.user is None else quote(self.user, safe="")
        password = self.password
        secret = "" if password is None else f":{quote(password, safe='')}"
        at = f"{user}{secret}@" if user or secret else ""
        host = self.host or ""
        if ":" in host:
            host = f"[{host}]"
        port = "" if self.port is None else f":{self.port}"
        options = f"?{self.options}" if self.options else ""
        return f"{scheme}://{at}{host}{port}/{quote(self.database, safe='')}{options}"


def looks_like_url(text: str) -> bool:
    """Return whether a source's text is a database's URL."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.partition("+")[0].lower() in {*_SCHEMES, "mssql", "oracle"}


def mask(text: str) -> str:
    """Return any text with the passwords of URLs in it masked."""
    hidden = re.sub(r"(?<=://)([^/@\s:]*):([^@\s]*)@", rf"\1:{MASK}@", text)
    return _QUERY_SECRET.sub(rf"\1={MASK}", hidden)


def parse_url(text: str, base: Path) -> DatabaseUrl:
    """Return the parts of a URL; relative files start at ``base``. Raises ``UrlError``."""
    scheme, mark, rest = text.partition("://")
    plain = scheme.partition("+")[0].lower()
    if not mark:
        raise UrlError(
            f"url {mask(text)!r} is not a URL; write it as postgresql://user@host/database or "
            "sqlite:///file.db"
        )
    engine = _SCHEMES.get(plain, Engine.OTHER)
    if engine in {Engine.SQLITE, Engine.ACCESS}:
        return _file_url(engine, plain, rest, base)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UrlError(f"url: {mask(str(error))}") from None
    user = None if parts.username is None else unquote(parts.username)
    at = "" if user is None else f"{quote(user, safe='')}@"
    where = parts.netloc.rpartition("@")[2]
    options = _QUERY_SECRET.sub("", parts.query).strip("&")
    in_options = _QUERY_SECRET.search(parts.query)
    stated = parts.password if parts.password is not None else None
    if stated is None and in_options is not None:
        stated = in_options.group().partition("=")[2]
    shown = f"{scheme}://{at}{where}{parts.path}" + (f"?{options}" if options else "")
    return DatabaseUrl(
        engine=engine,
        masked=shown,
        user=user,
        host=parts.hostname,
        port=port,
        database=unquote(parts.path.lstrip("/")),
        options=options,
        stated_password=None if stated is None else unquote(stated),
        scheme=scheme,
    )


def _file_url(engine: Engine, scheme: str, rest: str, base: Path) -> DatabaseUrl:
    name, _, options = rest.partition("?")
    if not name.startswith("/"):
        raise UrlError(
            f"url '{scheme}://{name}' has no file; write it as {scheme}:///file.db, or "
            f"{scheme}:////folder/file.db for a path from the root"
        )
    path = Path(unquote(name[1:]))
    if not name[1:] or name[1:] == ":memory:":
        raise UrlError(f"url '{scheme}://{name}' names no file")
    full = path if path.is_absolute() else base / path
    kind = Engine.ACCESS if full.suffix.lower() in _ACCESS_SUFFIXES else engine
    return DatabaseUrl(
        engine=kind, masked=f"{scheme}://{name}", path=full, options=options, scheme=scheme
    )
