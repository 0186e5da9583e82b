"""What a file is, by its content: each question is answered once, when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.errors import UnreadableError
from bulkload.readers.blank_columns import with_tabs
from bulkload.readers.content import FileContent
from bulkload.readers.file_kinds import (
    READABLE,
    TEXT,
    described,
    kind_of,
)
from bulkload.readers.headers import HeaderLine, header_lines
from bulkload.readers.text import Text, decode
from bulkload.readers.workbook import Book

#: Suffixes that promise text: a binary file under them is refused, not read as something else.
TEXT_SUFFIXES: Final = frozenset({".csv", ".txt", ".tsv", ".mpt", ".dta", ".bdf"})


@dataclass(frozen=True)
class Probe:
    """A file under examination."""

    content: FileContent

    @property
    def name(self) -> str:
        """The file's name, printable."""
        return self.content.name

    @cached_property
    def kind(self) -> str:
        """The container, by its first bytes."""
        kind = kind_of(self.content.data)
        is_readable = kind in READABLE
        if kind != TEXT and self.content.suffix in TEXT_SUFFIXES:
            raise UnreadableError(
                f"{self.name}: named {self.content.suffix} but it is {described(kind)}; "
                + ("give it its right suffix, or " if is_readable else "")
                + "export the test as text",
                cause="not_text",
            )
        if not is_readable:
            raise UnreadableError(
                f"{self.name}: {described(kind)}, which holds no table that is read here; export "
                "the test as text or as a workbook and upload that",
                cause="not_a_table",
            )
        return kind

    @cached_property
    def text(self) -> Text:
        """The content as text; refuses what is none."""
        text = decode(self.content)
        return with_tabs(text) or text

    @cached_property
    def headers(self) -> Sequence[HeaderLine]:
        """Lines that may be the header of a table."""
        return header_lines(self.text)

    @cached_property
    def book(self) -> Book:
        """The content as a workbook."""
        return Book(self.content)

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of a Parquet file."""
        try:
            return pq.read_schema(pa.BufferReader(self.content.data))
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError(
                f"{self.name}: not a readable Parquet file; copy or export it again",
                cause="damaged",
            ) from error
