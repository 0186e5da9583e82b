"""Tables that hold the rows of several tests, distinguished by the numbers of test and channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.decisions import DecisionCode
from bulkload.core.test_columns import CHANNEL, TEST
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import TELLING, Dialect, Kind
from bulkload.readers.header_match import Matched, TwiceError, match
from bulkload.readers.raw_columns import Raw
from bulkload.readers.table_source import Grid

#: Most tests that one table is taken to hold. A cycler has some hundred channels; a column with
#: more values than this numbers something else.
MAX_TESTS: Final = 1000

#: Tests that a message lists.
MAX_LISTED: Final = 10

#: A table of which nothing is known but that it may hold several tests.
PLAIN: Final = Dialect(name="", cycler="", signature=(), columns=())

#: A whole number as exports write it: 2, 02, 2.0 and 2,0 are the same test.
_WHOLE: Final = re.compile(r"0*(\d+)(?:[.,]0*)?")

_FRACTION: Final = re.compile(r"-?\d*[.,]\d*[1-9]\d*(e[-+]?\d+)?", re.IGNORECASE)

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests in a table, in the order of their first rows."""

    #: What distinguishes each from the others, such as ``Test_ID 2``; none with only one test.
    names: tuple[str, ...]
    #: Which of them each row belongs to; negative: none, its number is missing.
    of_row: Codes
    #: What the only test may be called, where nothing distinguishes several.
    only: tuple[str, ...] = ()


def numbering(names: Sequence[str], dialect: Dialect) -> list[Matched]:
    """Return the columns of a header that distinguish tests."""
    try:
        columns = match(names, [None] * len(names), dialect).columns
    except TwiceError:
        # Reading refuses such a header, with the name of the column.
        return []
    return [column for column in columns if column.target in TELLING]


def tests_in(grid: Grid, dialect: Dialect, name: str) -> tuple[str, ...]:
    """Name the tests in a table that numbers them, where there are several.

    Only the columns that number them are read.
    """
    columns = numbering(grid.names, dialect)
    fetched = grid.fetch({column.index: Kind.TEXT for column in columns})
    return _told_apart([(column, fetched[column.index]) for column in columns], name).names


def keep_member(raw: Raw, member: str | None) -> None:
    """Keep the rows of one test where the table holds several."""
    columns = [c for c in raw.match.columns if c.target in TELLING]
    if not columns:
        return
    tests = _told_apart([(column, raw.texts[column.target]) for column in columns], raw.name)
    if tests.only:
        if member is not None:
            chosen_member(raw.name, tests.only, member)
        return
    lost = int((tests.of_row < 0).sum())
    if lost:
        raise UnreadableError(
            f"{raw.name}: {lost} rows do not state their test "
            f"({' and '.join(printable(c.name) for c in columns)} empty); export it again",
            cause="several_tests",
        )
    chosen = chosen_member(raw.name, tests.names, member)
    raw.keep(tests.of_row == tests.names.index(chosen))
    raw.decide(
        DecisionCode.TEST_TAKEN,
        f"{len(tests.names)} tests in the table: the rows of {chosen}",
        evidence="stated",
        rows=raw.rows,
        columns=[column.name for column in columns],
    )


def keep_member_of(table: pa.Table, name: str, member: str | None) -> tuple[pa.Table, Tests, int]:
    """Keep the rows of one test of a table that no dialect describes, where it holds several.

    Returns the table, the tests in it, and how many rows are of others.
    """
    tests = tests_of(table, name)
    if not tests.names:
        return table, tests, 0
    chosen = chosen_member(name, tests.names, member)
    kept = table.filter(pa.array(tests.of_row == tests.names.index(chosen)))
    return kept, tests, table.num_rows - kept.num_rows


def tests_of(table: pa.Table, name: str) -> Tests:
    """Separate the tests of a table by its columns of tests, cells, channels or codes."""
    columns = match(table.column_names, [None] * table.num_columns, PLAIN).columns
    return _told_apart(
        [(column, table.column(column.index).cast(pa.string())) for column in columns], name
    )


def channel_of(raw: Raw) -> str | None:
    """Return the channel where the rows name one."""
    values = raw.texts.get(CHANNEL)
    if values is None:
        return None
    if _is_one_value(values):
        return _canonical(values[0].as_py()) or None
    different = values.unique()
    if len(different) > MAX_LISTED:
        return None
    found = {_canonical(value) for value in different.to_pylist()} - {""}
    return found.pop() if len(found) == 1 else None


def chosen_member(name: str, members: Sequence[str], wanted: str | None) -> str:
    """Return the member that is wanted, or the only one."""
    if wanted is not None:
        if wanted in members:
            return wanted
        problem = f"no test {printable(wanted)!r} in it"
    elif len(members) == 1:
        return members[0]
    else:
        problem = f"{len(members)} tests in it and none was chosen"
    listed = ", ".join(repr(printable(member)) for member in members[:MAX_LISTED])
    more = f" and {len(members) - MAX_LISTED} more" if len(members) > MAX_LISTED else ""
    raise UnreadableError(
        f"{name}: {problem}; state `member` in the manifest: {listed}{more}", cause="which_member"
    )


def _told_apart(columns: Sequence[tuple[Matched, pa.ChunkedArray]], name: str) -> Tests:
    """Separate tests by the columns in which they differ."""
    differing: list[tuple[str, list[str], Codes]] = []
    only: list[str] = []
    for column, values in columns:
        if _counts_rows(column, values):
            continue
        texts, codes = _coded(values)
        if column.target != TEST and _is_measured(texts):
            continue
        if len(texts) == 1:
            only.append(f"{printable(column.name.strip())} {texts[0]}")
        if len(texts) > 1:
            differing.append((column.name, texts, codes))
    for header, texts, _ in differing:
        _refuse_too_many(header, len(texts), name)
    if not differing:
        names = dict.fromkeys((*only, " ".join(only)))
        return Tests((), np.zeros(0, dtype=np.int64), tuple(names))
    key = np.zeros(len(differing[0][2]), dtype=np.int64)
    missing = np.zeros(len(key), dtype=bool)
    for _, texts, codes in differing:
        key = key * len(texts) + codes
        missing |= codes < 0
    keys, first, of_row = np.unique(key[~missing], return_index=True, return_inverse=True)
    found = [""] * len(keys)
    rank = np.argsort(np.argsort(first))
    for place, row in zip(rank, np.flatnonzero(~missing)[first], strict=True):
        found[place] = " ".join(
            f"{printable(header.strip())} {texts[codes[row]]}" for header, texts, codes in differing
        )
    all_rows = np.full(len(key), -1, dtype=np.int64)
    all_rows[~missing] = rank[of_row]
    return Tests(tuple(found), all_rows)


def _is_one_value(values: pa.ChunkedArray) -> bool:
    """Return whether all rows have one value: the common case, and quicker than sorting."""
    if not len(values) or values.null_count:
        return False
    return bool(pc.all(pc.equal(values, values[0])).as_py())


def _refuse_too_many(header: str, tests: int, name: str) -> None:
    if tests > MAX_TESTS:
        raise UnreadableError(
            f"{name}: the column {printable(header)!r} has {tests} values: that many tests are not "
            "in one table; describe its columns in a dialect file",
            cause="several_tests",
        )


def _counts_rows(column: Matched, values: pa.ChunkedArray) -> bool:
    """Return whether a column has another value in each row: some exports call records channels."""
    rows = len(values)
    if column.target == TEST or rows < 2 or values[0] == values[1]:
        return False
    return bool(pc.count_distinct(values).as_py() == rows)


def _is_measured(texts: Sequence[str]) -> bool:
    """Return whether a column of cells or channels holds fractions: it is a voltage or the like."""
    return any(_FRACTION.fullmatch(text) for text in texts[:MAX_LISTED])


def _coded(values: pa.ChunkedArray) -> tuple[list[str], Codes]:
    """Return the different numbers in their order, and for each row the place of its own."""
    if _is_one_value(values) and (text := _canonical(values[0].as_py())):
        return [text], np.zeros(len(values), dtype=np.int64)
    coded = values.combine_chunks().dictionary_encode()
    written = [_canonical(value) for value in coded.dictionary.to_pylist()]
    texts = [text for text in dict.fromkeys(written) if text]
    places = {text: place for place, text in enumerate(texts)}
    of_value = np.array([*(places.get(text, -1) for text in written), -1], dtype=np.int64)
    index = coded.indices.fill_null(len(written)).to_numpy(zero_copy_only=False)
    return texts, of_value[index]


def _canonical(value: str | None) -> str:
    text = (value or "").strip(" \"'\t")
    whole = _WHOLE.fullmatch(text)
    return whole.group(1) if whole else printable(text)
