"""What a file is by its first bytes: those that are read here, and those that hold no table.

A refusal says what the file really is, and what to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

TEXT: Final = "text"
PARQUET: Final = "Parquet file"
WORKBOOK: Final = "workbook"
ACCESS: Final = "Access database"
BIOLOGIC_BINARY: Final = "BioLogic .mpr file"
NEWARE_BINARY: Final = "Neware .nda file"
NEWARE_ARCHIVE: Final = "Neware .ndax archive"
HDF5: Final = "HDF5 file"

READABLE: Final = frozenset(
    {TEXT, PARQUET, WORKBOOK, ACCESS, BIOLOGIC_BINARY, NEWARE_BINARY, NEWARE_ARCHIVE, HDF5}
)


class _Magic(NamedTuple):
    """Bytes at a place, and what begins so."""

    mark: bytes
    kind: str
    place: int = 0


_MAGIC: Final = (
    _Magic(b"PAR1", PARQUET),
    _Magic(b"\x00\x01\x00\x00Standard ", ACCESS),
    _Magic(b"BIO-LOGIC MODULAR FILE", BIOLOGIC_BINARY),
    _Magic(b"NEWARE", NEWARE_BINARY),
    _Magic(b"%PDF", "PDF document"),
    _Magic(b"SQLite format 3\0", "SQLite database"),
    _Magic(b"MATLAB 5.0 MAT-file", "MATLAB file"),
    _Magic(b"MATLAB 7.3 MAT-file", "MATLAB file (HDF5)"),
    _Magic(b"\x89HDF\r\n\x1a\n", HDF5),
    _Magic(b"\x89HDF\r\n\x1a\n", HDF5, 512),
    _Magic(b"CDF\x01", "NetCDF file"),
    _Magic(b"CDF\x02", "NetCDF file"),
    _Magic(b"\x89PNG\r\n", "PNG image"),
    _Magic(b"\xff\xd8\xff", "JPEG image"),
    _Magic(b"GIF8", "GIF image"),
    _Magic(b"II*\0", "TIFF image"),
    _Magic(b"MM\0*", "TIFF image"),
    _Magic(b"WEBP", "WebP image", 8),
    _Magic(b"ftyp", "video", 4),
    _Magic(b"RIFF", "sound or video file"),
    _Magic(b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    _Magic(b"Rar!\x1a\x07", "RAR archive"),
    _Magic(b"ustar", "tar archive", 257),
    _Magic(b"ARROW1", "Arrow (Feather) file"),
    _Magic(b"FEA1", "Feather file"),
    _Magic(b"Obj\x01", "Avro file"),
    _Magic(b"\x93NUMPY", "NumPy file"),
    _Magic(b"\x80\x04\x95", "Python pickle"),
    _Magic(b"\x80\x05\x95", "Python pickle"),
    _Magic(b"\x7fELF", "program"),
    _Magic(b"MZ\x90\0", "Windows program"),
    _Magic(b"TDSm", "LabVIEW TDMS file"),
    _Magic(b"MDF     ", "ASAM MDF file"),
    _Magic(b"{\\rtf", "rich-text document"),
)

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Names of the streams of old Office documents, in UTF-16 as the file has them.
_OLE_STREAMS: Final = (
    ("Workbook", WORKBOOK),
    ("Book", WORKBOOK),
    ("WordDocument", "Word document"),
    ("PowerPoint Document", "PowerPoint presentation"),
    ("VisioDocument", "Visio drawing"),
    ("__substg1.0_", "Outlook message"),
    ("Origin", "Origin project"),
    ("EncryptedPackage", "workbook or document under a password"),
)

_ZIP: Final = b"PK\x03\x04"
#: Members of zip archives that are more than archives, as their names stand in the file.
_ZIP_MEMBERS: Final = (
    (b"xl/workbook", WORKBOOK),
    (b"word/document", "Word document"),
    (b"ppt/presentation", "PowerPoint presentation"),
    (b"visio/document", "Visio drawing"),
    (b"vnd.oasis.opendocument.spreadsheet", WORKBOOK),
    (b"vnd.oasis.opendocument.text", "OpenDocument text"),
    (b".ndc", NEWARE_ARCHIVE),
    (b"META-INF/MANIFEST.MF", "Java archive"),
    (b"[Content_Types].xml", WORKBOOK),
)

#: How kinds begin that take "an".
_VOWELS: Final = ("A", "EC", "HDF", "O", "RAR", "old")

_LAND: Final = (
    "a data file of LAND's cycler program (LANHE), whose layout its maker has not published; "
    "export the test from LANDdt as text or as a workbook and upload that"
)

#: Binary files without a mark of their own, by their suffix: what they are, and what to do.
UNMARKED: Final = {".cex": _LAND, ".ccs": _LAND}

#: What a text is that is no table, by its beginning in lower case.
_MARKUP: Final = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML document"),
    (b"<svg", "an SVG image"),
    (b"%!ps", "a PostScript document"),
    (b"#!/", "a script"),
    (b"-----begin ", "a key or certificate"),
    (b"ec-lab setting file", "a settings file of EC-Lab; its data are in the .mpr or .mpt beside"),
    (b"bt-lab setting file", "a settings file of BT-Lab; its data are in the .mpr or .mpt beside"),
    (b"ec-lab log file", "a log of EC-Lab; its data are in the .mpr or .mpt beside it"),
)


def kind_of(data: bytes) -> str:
    """Name what a file is by its content; text where no binary format is known to begin so."""
    for magic in _MAGIC:
        if data.startswith(magic.mark, magic.place):
            # A text may begin with the word too.
            return TEXT if magic.kind == NEWARE_BINARY and b"\0" not in data[:512] else magic.kind
    if data.startswith(_OLE):
        return _first_of(
            data, ((n.encode("utf-16-le"), k) for n, k in _OLE_STREAMS), "old Office document"
        )
    if data.startswith(_ZIP):
        return _first_of(data, _ZIP_MEMBERS, "zip archive")
    if data.startswith(b"PK\x05\x06"):
        return "zip archive without a member"
    return TEXT


def _first_of(data: bytes, marks: Iterable[tuple[bytes, str]], otherwise: str) -> str:
    return next((kind for mark, kind in marks if mark in data), otherwise)


def described(kind: str) -> str:
    """Return a kind with its article."""
    return f"an {kind}" if kind.startswith(_VOWELS) else f"a {kind}"


def markup_of(text: bytes) -> str | None:
    """Name a text that is no table: a page, a document, a script; None where it may be one."""
    head = text[:200].lstrip().lower()
    if head.startswith((b"{", b"[{")) and b'"' in head:
        return "a JSON document"
    return next((what for mark, what in _MARKUP if head.startswith(mark)), None)
