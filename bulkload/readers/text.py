"""Bytes to text: encoding by evidence, never by guess; the parsers get UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.file_kinds import UNMARKED

#: Longest line accepted, in bytes. A cycler's widest row is a few kilobytes; a longer
#: "line" is a binary file or one that lost its line ends.
MAX_LINE_BYTES: Final = 1024 * 1024

#: What the look at the beginning of a file takes, in bytes.
HEAD_BYTES: Final = 64 * 1024

#: Largest byte of ASCII.
ASCII_MAX: Final = 127

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Control characters that no text export contains; tab, line ends and form feed are not here.
_BINARY_BYTES: Final = bytes(set(range(32)) - {9, 10, 11, 12, 13, 26, 27})

_DELIMITER: Final = re.compile(rb"[,;\t]")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
_HAN_PAIR: Final = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")

#: What stands in the headers of Chinese exports that are in English: as cp1252, pairs of bytes
#: that mean nothing.
_GBK_SYMBOLS: Final = frozenset("℃℉Ωωμ°±²³")
#: Where CJK punctuation, characters and full-width forms begin.
_CJK: Final = "\u3000"

#: A line that is one quoted field, as a spreadsheet saves a line that it did not cut.
_WRAPPED: Final = re.compile(rb'(?m)^"((?:[^"\r\n]|"")*)"[,;\t]*(?=\r?$)')

#: Lines that must be so before all are taken to be, and lines that are looked at.
MIN_WRAPPED_LINES: Final = 3
MAX_WRAPPED_LINES: Final = 60


@dataclass(frozen=True, slots=True)
class Text:
    """A text file as UTF-8 bytes without a byte-order mark."""

    data: bytes
    encoding: str
    name: str
    #: Each line stood in quotation marks as a whole: they were taken off.
    is_unwrapped: bool = False

    def head(self) -> str:
        """Return the beginning, cut at a line end where there is one."""
        start = self.data[:HEAD_BYTES]
        if len(self.data) > HEAD_BYTES:
            start = start[: max(start.rfind(b"\n") + 1, 1)]
        return start.decode("utf-8", "replace")


def decode(content: FileContent) -> Text:
    """Return the content as text, or refuse what is not text."""
    data, encoding = _to_utf8(content)
    if b"\n" not in data[:HEAD_BYTES] and b"\n" not in data:
        # Lines that end as on the first Macintosh.
        data = data.replace(b"\r", b"\n")
    _refuse_binary(content, data[:HEAD_BYTES])
    _refuse_endless_line(content.name, data)
    if data.isspace() or not data:
        raise UnreadableError(
            f"{content.name}: the file holds only white space; export it again", cause="empty_file"
        )
    plain = _unwrapped(data)
    return Text(
        data=data if plain is None else plain,
        encoding=encoding,
        name=content.name,
        is_unwrapped=plain is not None,
    )


def _unwrapped(data: bytes) -> bytes | None:
    """Take off the quotation marks of lines that are one quoted field each; None: they are not."""
    head = data[:HEAD_BYTES]
    if b'"' not in head or not (head.lstrip().startswith(b'"') or b'\n"' in head):
        return None
    cut = [line for line in head.splitlines()[:MAX_WRAPPED_LINES] if _DELIMITER.search(line)]
    if len(head) < len(data) and len(cut) < MAX_WRAPPED_LINES:
        cut = cut[:-1]
    wrapped = [_WRAPPED.fullmatch(line) for line in cut]
    if len(cut) < MIN_WRAPPED_LINES or not all(m and _DELIMITER.search(m[1]) for m in wrapped):
        return None
    return _WRAPPED.sub(lambda match: match[1].replace(b'""', b'"'), data)


def _to_utf8(content: FileContent) -> tuple[bytes, str]:
    data = content.data
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            if encoding == "utf-8":
                return _checked(content.name, data[len(mark) :], "utf-8"), "utf-8-sig"
            return _checked(content.name, data, encoding), encoding
    unmarked = _unmarked_utf16(data)
    if unmarked is not None:
        return _checked(content.name, data, unmarked), unmarked
    if data.isascii():
        return data, "ascii"
    _refuse_binary(content, data[:HEAD_BYTES])
    # Often only the preamble is more than ASCII: then only the preamble needs to be decoded.
    end = data.find(b"\n", HEAD_BYTES) + 1
    if not 0 < end < len(data) or np.frombuffer(data, np.uint8, offset=end).max() > ASCII_MAX:
        return _eight_bit(data)
    head, encoding = _eight_bit(data[:end])
    if encoding == "utf-8":
        return data, encoding
    return b"".join((head, memoryview(data)[end:])), encoding


def _checked(name: str, data: bytes, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{name}: begins as {encoding} but byte {error.start} does not fit it; "
            "the file is damaged or cut short",
            cause="bad_encoding",
        ) from error
    return data if encoding == "utf-8" else text.encode("utf-8")


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: ASCII text in it has a zero in every other byte."""
    head = data[:HEAD_BYTES]
    if len(head) < 4 or b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.9 * half and even == 0:
        return "utf-16-le"
    if even > 0.9 * half and odd == 0:
        return "utf-16-be"
    return None


def _eight_bit(data: bytes) -> tuple[bytes, str]:
    """UTF-8 where it decodes; then GBK where its byte pairs say so; else cp1252."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return data, "utf-8"
    if _looks_chinese(data):
        return data.decode("gbk").encode("utf-8"), "gbk"
    # cp1252 leaves five bytes undefined; they are kept as the control characters of latin-1.
    text = data.decode("cp1252", errors="latin1_control")
    return text.encode("utf-8"), "cp1252"


def _latin1_control(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("latin1_control", _latin1_control)


def _looks_chinese(data: bytes) -> bool:
    """Recognise GBK: it decodes, and most of what is not ASCII becomes common Han characters.

    A degree or micro sign of cp1252 stands alone between ASCII bytes; GBK characters come in
    pairs of high bytes, and a word of them in a run.
    """
    try:
        data.decode("gbk")
    except UnicodeDecodeError:
        return False
    runs = _HIGH_RUN.findall(data)
    if all(len(run) % 2 == 0 for run in runs):
        characters = set(b"".join(set(runs)).decode("gbk", "replace"))
        if characters & _GBK_SYMBOLS and all(
            c in _GBK_SYMBOLS or c >= "\u4e00" for c in characters
        ):
            return True
    foreign = sum(map(len, runs))
    paired = 2 * len(_HAN_PAIR.findall(data))
    return paired >= 4 and paired >= 0.5 * foreign


def _refuse_binary(content: FileContent, head: bytes) -> None:
    if b"\0" in head or len(head.translate(None, _BINARY_BYTES)) < 0.99 * len(head):
        begin = " ".join(f"{byte:02x}" for byte in head[:8])
        what = UNMARKED.get(
            content.suffix,
            f"a binary file of an unknown kind (bytes {begin}); export the test as text or as a "
            "workbook and upload that",
        )
        raise UnreadableError(f"{content.name}: {what}", cause="not_text")


def _refuse_endless_line(name: str, data: bytes) -> None:
    """Refuse a first line without an end; the parser watches the later ones."""
    if len(data) <= MAX_LINE_BYTES:
        return
    if data.find(b"\n", 0, MAX_LINE_BYTES) < 0 and data.find(b"\r", 0, MAX_LINE_BYTES) < 0:
        raise UnreadableError(
            f"{name}: one line of more than {MAX_LINE_BYTES // 1024} KiB; "
            "the file lost its line ends or is not a table",
            cause="line_too_long",
        )
