"""Text made safe for a terminal or a message. Names, headers and server texts are untrusted."""

from __future__ import annotations

import re
from typing import Final

#: Longest text taken from a server, in characters: enough for a sentence, not for a page.
MAX_MESSAGE_CHARACTERS: Final = 1000
#: Characters of an untrusted text that a message quotes.
SHOWN_CHARACTERS: Final = 200

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def printable(text: str) -> str:
    r"""Return ``text`` with every character that does not print written as its escape.

    Control characters, line separators, direction marks and lone surrogates become ``\x1b``,
    ``\u2028`` and the like: none can move a cursor or hide part of a line.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def is_encodable(text: str) -> bool:
    """Return whether a text can be written as UTF-8; half a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def one_line(text: str) -> str:
    """Return a server's text as one printable line of at most ``MAX_MESSAGE_CHARACTERS``."""
    line = printable(_CONTROL.sub(" ", text).strip())
    if len(line) <= MAX_MESSAGE_CHARACTERS:
        return line
    return f"{line[:MAX_MESSAGE_CHARACTERS]}…"


def shown(text: str) -> str:
    """Quote an untrusted text for a message: printable, at most ``SHOWN_CHARACTERS`` long.

    A text that is too long loses its middle: of a path, both the start and the file name stay.
    """
    if len(text) > SHOWN_CHARACTERS:
        text = text[: SHOWN_CHARACTERS // 2] + "…" + text[-(SHOWN_CHARACTERS // 2 - 1) :]
    return f"'{printable(text)}'"
