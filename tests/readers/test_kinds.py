"""What a file is that is no test: each is called by its name, with what to do."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import detect, read

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0")


def archive(*members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for member in members:
            file.writestr(member, "x")
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
    return buffer.getvalue()


def stream(name: str) -> bytes:
    return OLE + name.encode("utf-16-le")


KINDS = {
    "zip archive": archive("a.csv", "b.csv"),
    "zip archive without a member": archive(),
    "Word document": archive("[Content_Types].xml", "word/document.xml"),
    "PowerPoint presentation": archive("[Content_Types].xml", "ppt/presentation.xml"),
    "old Office document": OLE,
    "Word document ": stream("WordDocument"),
    "Origin project": stream("Origin"),
    "tar archive": tar(),
    "MATLAB file": b"MATLAB 5.0 MAT-file, Platform: PCWIN64".ljust(200),
    "PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "PNG image": b"\x89PNG\r\n\x1a\n".ljust(64, b"\0"),
    "JPEG image": b"\xff\xd8\xff\xe0".ljust(64, b"\0"),
    "7-Zip archive": b"7z\xbc\xaf\x27\x1c".ljust(64, b"\0"),
    "RAR archive": b"Rar!\x1a\x07\x01\0".ljust(64, b"\0"),
    "NumPy file": b"\x93NUMPY\x01\0".ljust(64, b"\0"),
    "Windows program": b"MZ\x90\0".ljust(64, b"\0"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".dat", ".csv"])
def test_a_binary_that_is_no_test_is_named(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(KINDS[kind])
    with pytest.raises(UnreadableError, match=kind.strip()) as caught:
        read(path)
    assert "named as text" not in str(caught.value)
    assert "export" in str(caught.value)
    assert caught.value.cause == ("not_text" if suffix == ".csv" else "not_a_table")


def test_a_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cells (name TEXT)")
    connection.close()
    with pytest.raises(UnreadableError, match="a SQLite database") as caught:
        read(path)
    assert caught.value.cause == "not_a_table"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!DOCTYPE html><html><body>Not found</body></html>", "an HTML page"),
        ('<?xml version="1.0"?><Workbook/>', "an XML document"),
        ('{"cell": "A1", "voltage": [3.7]}', "a JSON document"),
        (
            "EC-LAB SETTING FILE\r\n\r\nNumber of linked techniques : 2\r\n",
            "a settings file of EC-Lab",
        ),
        ("EC-Lab LOG FILE\r\n\r\nRun on channel : 1\r\n", "a log of EC-Lab"),
        ("#!/usr/bin/env python3\nprint(1)\n", "a script"),
    ],
)
def test_a_text_that_is_no_table_is_named(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=what) as caught:
        read(path)
    assert caught.value.cause == "not_a_table"


def test_an_unknown_binary_shows_how_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "file.raw"
    path.write_bytes(bytes(range(1, 255)) * 9 + bytes(9))
    with pytest.raises(UnreadableError, match="bytes 01 02 03 04 05 06 07 08") as caught:
        read(path)
    assert caught.value.cause == "not_text"


def test_a_text_that_begins_with_the_name_of_a_maker_is_text(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("NEWARE channel 3\nTime(s),Voltage(V),Current(A)\n0,3.7,1\n1,3.6,1\n2,3.5,1\n")
    assert detect(path).verdict == "labelled"


def test_what_is_read_is_still_named_under_a_text_suffix(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "cycler" / "biologic" / "00_test_04_MB_C01.mpr"
    path = tmp_path / "test.csv"
    path.write_bytes(source.read_bytes())
    with pytest.raises(UnreadableError, match=r"a BioLogic \.mpr file; give it its right suffix"):
        read(path)


@pytest.mark.parametrize("suffix", [".cex", ".ccs"])
def test_a_binary_without_a_mark_is_named_by_its_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cell{suffix}"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(UnreadableError, match="LANDdt as text or as a workbook") as caught:
        read(path)
    assert caught.value.cause == "not_text"
