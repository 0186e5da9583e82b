"""Tables that hold the rows of several tests: each is named in the plan, and read alone."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import xlsxwriter

from bulkload.core.path_layout import DEFAULT_LAYOUT, Layout
from bulkload.core.plan_items import PlanItem, Problem, UploadJob
from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, list_members, read
from bulkload.sources.members import Members
from bulkload.sources.read_source import read_source
from tests.plans import account_of
from tests.readers.test_against_vendor import needs_mdbtools

Write = Callable[[str, bytes | str], Path]

#: Real files whose tables number their tests; each holds one.
NUMBERED = ("data.csv", "Landt.csv")

SPECIFICATION = '{"name": "spec", "form_factor": "21700"}'

ARBIN = "{ids},Data_Point,Test_Time(s),Step_Index,Cycle_Index,Current(A),Voltage(V)\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def rows(marks: str, voltage: float, count: int = 5) -> list[str]:
    return [f"{marks},{i + 1},{10 * i},1,1,-0.5,{voltage - i / 100:.2f}" for i in range(count)]


def table(*lines: str, ids: str = "Test_ID") -> str:
    return ARBIN.format(ids=ids) + "\n".join(lines) + "\n"


def interleaved(*tests: list[str]) -> list[str]:
    return [line for together in zip(*tests, strict=True) for line in together]


@pytest.mark.parametrize("order", ["one after the other", "interleaved"])
@pytest.mark.parametrize("marks", [("1", "2"), ("1.0", "2.0"), ('"1"', "02")])
def test_each_test_has_its_rows_alone(write: Write, order: str, marks: tuple[str, str]) -> None:
    first, second = rows(marks[0], 3.7), rows(marks[1], 4.1)
    lines = interleaved(first, second) if order == "interleaved" else first + second
    path = write("a.csv", table(*lines))
    assert list_members(path) == ("Test_ID 1", "Test_ID 2")
    for member, voltage in (("Test_ID 1", 3.7), ("Test_ID 2", 4.1)):
        series = read(path, ReadOptions(member=member))
        wanted = [pytest.approx(voltage - i / 100) for i in range(5)]
        assert series.table["Voltage [V]"].to_pylist() == wanted
        assert series.table["Time [s]"].to_pylist() == [0, 10, 20, 30, 40]
        assert f"2 tests in the table: the rows of {member}" in series.remarks
        assert series.provenance["options"]["member"] == member


def test_one_that_is_not_chosen_or_not_there_is_refused(write: Write) -> None:
    path = write("a.csv", table(*rows("1", 3.7), *rows("2", 4.1)))
    for member in (None, "Test_ID 3"):
        with pytest.raises(UnreadableError, match="'Test_ID 1', 'Test_ID 2'") as caught:
            read(path, ReadOptions(member=member))
        assert caught.value.cause == "which_member"


def test_one_test_is_not_split(write: Write) -> None:
    path = write("a.csv", table(*rows("7", 3.7), *rows("7.0", 3.6)))
    assert list_members(path) == ()
    assert read(path).table.num_rows == 10
    partly = write("b.csv", table(*rows("7", 3.7), *rows("", 3.6)))
    assert read(partly).table.num_rows == 10


def test_a_test_that_is_gone_since_the_plan_is_refused(write: Write) -> None:
    path = write("a.csv", table(*rows("7,6", 3.7), ids="Test_ID,Channel"))
    for member in ("Test_ID 7", "Channel 6", "Test_ID 7 Channel 6"):
        assert read(path, ReadOptions(member=member)).table.num_rows == 5
    with pytest.raises(UnreadableError, match="no test 'Test_ID 8' in it") as caught:
        read(path, ReadOptions(member="Test_ID 8"))
    assert caught.value.cause == "which_member"


def test_rows_of_no_test_are_refused(write: Write) -> None:
    path = write("a.csv", table(*rows("1", 3.7), *rows("2", 4.1), *rows("", 3.9, count=3)))
    assert list_members(path) == ("Test_ID 1", "Test_ID 2")
    with pytest.raises(UnreadableError, match="3 rows do not state their test") as caught:
        read(path, ReadOptions(member="Test_ID 1"))
    assert caught.value.cause == "several_tests"


def test_numbers_that_are_never_complete_are_refused(write: Write) -> None:
    lines = interleaved(*(rows(marks, 3.7) for marks in ("1,", "2,", ",5", ",6")))
    path = write("a.csv", table(*lines, ids="Test_ID,Channel"))
    assert list_members(path) == ()
    with pytest.raises(UnreadableError, match="20 rows do not state") as caught:
        read(path)
    assert caught.value.cause == "several_tests"


def test_channels_in_one_table(write: Write) -> None:
    lines = interleaved(rows("9,1-006", 3.7), rows("9,1-007", 4.1))
    path = write("a.csv", table(*lines, ids="Test_ID,Channel"))
    assert list_members(path) == ("Channel 1-006", "Channel 1-007")  # Test_ID tells nothing apart
    series = read(path, ReadOptions(member="Channel 1-007"))
    assert series.table["Voltage [V]"][0].as_py() == pytest.approx(4.1)
    assert series.header["test_setup"]["channel_number"] == "1-007"


def test_tests_and_channels_that_both_differ(write: Write) -> None:
    tests = [rows(marks, 3.7 + i / 10) for i, marks in enumerate(("2,6", "1,6", "1,5"))]
    path = write("a.csv", table(*interleaved(*tests), ids="Test_ID,Channel"))
    members = ("Test_ID 2 Channel 6", "Test_ID 1 Channel 6", "Test_ID 1 Channel 5")
    assert list_members(path) == members  # in the order of their first rows
    for i, member in enumerate(members):
        found = read(path, ReadOptions(member=member)).table
        assert found["Voltage [V]"][0].as_py() == pytest.approx(3.7 + i / 10)


def test_a_column_that_numbers_something_else(write: Write) -> None:
    path = write("a.csv", table(*(rows(str(i), 3.7, count=1)[0] for i in range(1001))))
    with pytest.raises(UnreadableError, match="has 1001 values") as caught:
        read(path)
    assert caught.value.cause == "several_tests"


def test_a_home_made_table_of_several_channels(write: Write) -> None:
    lines = [f"{i};{c};3,{70 + c - i};-0,5" for i in range(5) for c in (1, 2)]
    path = write("a.csv", "t [min];Channel;U [V];I [A]\n" + "\n".join(lines) + "\n")
    assert list_members(path) == ("Channel 1", "Channel 2")
    found = read(path, ReadOptions(member="Channel 2")).table
    assert found["Time [s]"].to_pylist() == [0, 60, 120, 180, 240]
    assert found["Voltage [V]"][0].as_py() == 3.72


def test_a_sheet_of_several_tests(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for sheet, tests in (("one", (1,)), ("two", (1, 2))):
            page = book.add_worksheet(sheet)
            page.write_row(0, 0, ARBIN.format(ids="Test_ID").strip().split(","))
            for test in tests:
                for i in range(4):
                    values = (test, i + 1, 10 * i, 1, 1, -0.5, 3.7 + test / 10 - i / 100)
                    page.write_row(1 + 4 * (test - 1) + i, 0, values)
    assert list_members(path) == ("one", "two Test_ID 1", "two Test_ID 2")
    found = read(path, ReadOptions(member="two Test_ID 2"))
    assert found.table["Voltage [V]"].to_pylist() == pytest.approx([3.9, 3.89, 3.88, 3.87])
    assert found.provenance["sheet"] == "two"
    assert read(path, ReadOptions(member="one")).table.num_rows == 4


def test_a_channel_that_counts_the_rows_is_none(write: Write) -> None:
    lines = [f"{i},{i + 1},{10 * i},1,1,-0.5,3.7" for i in range(6)]
    path = write("a.csv", table(*lines, ids="Channel_Index"))
    assert list_members(path) == ()
    assert read(path).table.num_rows == 6


def planned(root: Path) -> Iterator[PlanItem]:
    (root / "spec").mkdir(exist_ok=True)
    (root / "spec" / "spec.json").write_text(SPECIFICATION)
    return read_source(root, layout=Layout.parse(DEFAULT_LAYOUT), members=Members(ReadOptions))


def test_the_plan_names_each_test(write: Write, tmp_path: Path) -> None:
    several = table(*rows("1", 3.7), *rows("2", 4.1))
    write("spec/cell/a.csv", several)
    write("spec/cell/b.csv.gz", gzip.compress(several.encode()))
    write("spec/cell/c.csv", several.encode("utf-16"))
    write("spec/cell/d.csv.zst", bytes(pa.compress(several.encode(), "zstd")))
    write("spec/cell/e.csv.xz", lzma.compress(several.encode()))
    write("spec/cell/f.csv", table(*rows("1", 3.7)))
    write("spec/cell/g.csv.gz", gzip.compress(several.encode())[:40])
    jobs = [item for item in planned(tmp_path) if isinstance(item, UploadJob)]
    assert [(job.key.measurement, job.member) for job in jobs] == [
        *((f"{name} Test_ID {test}", f"Test_ID {test}") for name in "abcde" for test in (1, 2)),
        ("f", None),
        ("g", None),
    ]


def test_a_name_that_another_file_has_already_is_in_the_way(write: Write, tmp_path: Path) -> None:
    write("spec/cell/a Test_ID 2.csv", table(*rows("1", 3.7)))
    write("spec/cell/a.csv", table(*rows("1", 3.7), *rows("2", 4.1)))
    account = account_of(planned(tmp_path))
    assert account.jobs == 2
    # Each of the two that claim the name is named: neither is sent.
    assert [problem.rule for problem in account.problems] == ["duplicate_name"] * 2


def test_a_name_that_grows_too_long_is_in_the_way(write: Write, tmp_path: Path) -> None:
    write(f"spec/cell/{'x' * 248}.csv", table(*rows("1", 3.7), *rows("2", 4.1)))
    rules = [p.rule for p in planned(tmp_path) if isinstance(p, Problem)]
    assert rules == ["name_too_long"] * 2


def test_a_text_too_large_for_the_plan_is_one_job(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = table(*rows("1", 3.7), *rows("2", 4.1))
    write("spec/cell/a.csv", text)
    monkeypatch.setattr("bulkload.sources.members.MAX_TEXT_BYTES", len(text) - 1)
    assert [job.member for job in planned(tmp_path) if isinstance(job, UploadJob)] == [None]
    monkeypatch.setattr("bulkload.sources.members.MAX_TEXT_BYTES", len(text))
    assert len([job for job in planned(tmp_path) if isinstance(job, UploadJob)]) == 2


def test_ordinary_files_are_not_read_for_the_plan(
    write: Write, tmp_path: Path, shared_data: Path
) -> None:
    texts = [
        path
        for path in (shared_data / "cycler").glob("*/*")
        if path.suffix in {".csv", ".txt"} and not path.name.endswith(NUMBERED)
    ]
    assert len(texts) >= 15
    for path in texts:
        write(f"spec/cell/{path.parent.name} {path.name}", path.read_bytes())

    def readers_are_loaded() -> ReadOptions:
        raise AssertionError("an ordinary file was to be read for the plan")

    (tmp_path / "spec" / "spec.json").write_text(SPECIFICATION)
    plan = read_source(
        tmp_path,
        layout=Layout.parse(DEFAULT_LAYOUT),
        members=Members(readers_are_loaded),
    )
    assert sum(isinstance(item, UploadJob) for item in plan) == len(texts)


#: Of an Access database: bytes a page, and where a data page says its table, rows and free bytes.
PAGE_BYTES = 4096
FREE, TABLE, COUNT, OFFSETS = 2, 4, 12, 14

#: Pages that define the tables of tests and of rows in the file that is changed.
TESTS_PAGE, ROWS_PAGE = 20, 26


def with_two_tests(data: bytes) -> bytes:
    """Give every other row of a real .res to a second test, and that test a row of its own.

    Fixed-width columns stand first in a row, in their order, after two bytes: Test_ID, then
    Data_Point, each of four bytes.
    """
    changed = bytearray(data)
    for page in range(0, len(data), PAGE_BYTES):
        (owner,) = struct.unpack_from("<I", data, page + TABLE)
        (count,) = struct.unpack_from("<H", data, page + COUNT)
        if data[page] != 1 or owner not in {TESTS_PAGE, ROWS_PAGE}:
            continue
        for row in range(count):
            (offset,) = struct.unpack_from("<H", data, page + OFFSETS + 2 * row)
            test_id, point = struct.unpack_from("<ii", data, page + offset + 2)
            assert test_id == 1
            if owner == ROWS_PAGE and point % 2 == 0:
                struct.pack_into("<i", changed, page + offset + 2, 2)
        if owner == TESTS_PAGE:
            size = PAGE_BYTES - offset
            begin = page + offset - size
            changed[begin : begin + size] = data[page + offset : page + PAGE_BYTES]
            struct.pack_into("<i", changed, begin + 2, 2)
            (free,) = struct.unpack_from("<H", data, page + FREE)
            struct.pack_into("<H", changed, page + FREE, free - size - 2)
            struct.pack_into("<H", changed, page + COUNT, count + 1)
            struct.pack_into("<H", changed, page + OFFSETS + 2 * count, offset - size)
    return bytes(changed)


def test_a_database_of_two_tests(write: Write, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "cycler" / "arbin" / "MnMn-B02-S01-A-E1.res"
    needs_mdbtools(source)
    path = write("spec/cell/two.res", with_two_tests(source.read_bytes()))
    assert list_members(path) == ("Test_ID 1", "Test_ID 2")
    with pytest.raises(UnreadableError, match="2 tests in it and none was chosen"):
        read(path)
    whole = read(source).table["Voltage [V]"].to_pylist()
    # The record numbers begin with 1: the odd ones are the first, third, ... of the whole.
    for member, expected in (("Test_ID 1", whole[::2]), ("Test_ID 2", whole[1::2])):
        series = read(path, ReadOptions(member=member))
        assert series.table["Voltage [V]"].to_pylist() == expected
        assert series.header["test_setup"]["test_name"] == "MnMn-B02-S01-A-E1-01-006"
    names = [item.key.measurement for item in planned(tmp_path) if isinstance(item, UploadJob)]
    assert names == ["two Test_ID 1", "two Test_ID 2"]
