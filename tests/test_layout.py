"""The import rule: who may know whom. The table is the rule; the code is read and held to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bulkload"

#: What `core` may import from outside: nothing that knows a clock, chance, disk, network or log.
PURE = {
    "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "datetime",
    "difflib", "email", "enum", "fnmatch", "functools", "hashlib", "heapq", "itertools", "json",
    "math", "numpy", "operator", "re", "statistics", "string", "struct", "types", "typing",
    "unicodedata", "warnings", "zoneinfo",
}  # fmt: skip

#: Room -> rooms of ours that it may import, besides itself, `core` and `errors`.
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "errors": set(),
    "clock": set(),
    "errorgroup": set(),
    "sourcefile": set(),
    "encode": set(),
    "frames": set(),
    "validators": {"frames"},
    "readers": {"frames"},
    "sources": set(),
    "journal": set(),
    "settings": set(),
    "client": {"clock", "encode", "frames", "validators"},
    "prepare": {"campaign", "encode", "frames", "readers", "sources", "sourcefile"},
    "worker": {"prepare"},
    "pool": {"worker"},
    "planning": {"journal", "sourcefile"},
    "planbook": {"journal"},
    "treatment": {"journal", "settings"},
    "livejob": {"journal"},
    "spool": {"sourcefile"},
    "account": {"journal"},
    "readback": {"client", "frames"},
    "campaign": set(),
    "members": {"readers"},
    "once": set(),
    "parents": {"client", "journal", "livejob", "once"},
    "rawfiles": {"client", "journal", "livejob", "once", "sourcefile"},
    "reconciler": {"client", "livejob", "readback", "sourcefile"},
    "uploader": {
        "client",
        "livejob",
        "parents",
        "rawfiles",
        "reconciler",
        "settle",
        "sourcefile",
    },
    "backlog": {"clock"},
    "settle": {"backlog", "client", "clock", "livejob"},
    "verify": {"client", "journal", "readback"},
    "rollback": {"client", "journal"},
    "progress": {"client", "clock", "livejob"},
    "log": {"client", "livejob"},
    "console": {"account", "clock", "progress"},
    "stop": {"clock", "progress"},
    "localstudio": {"frames"},
    "demo": set(),
}

#: Rooms that join the others and may import any of them; nothing but `cli` imports `run`.
JOINERS = {"pipeline", "run", "cli", "testing", "__init__", "__main__"}
NEVER_IMPORTED = {
    "cli": {"__main__", "cli"},
    "console": {"cli"},
    "log": {"run"},
    "testing": set(),
}

#: A third party has one home.
HOMES = {
    "aiohttp": {"client", "localstudio"},
    "sqlite3": {"journal", "account", "campaign", "planning", "planbook", "livejob", "pipeline",
                "run", "localstudio", "cli", "testing", "verify", "rollback"},
    "tenacity": {"client"},
    "rich": {"console", "cli"},
    "structlog": {"log"},
    "cyclopts": {"cli"},
    "psutil": {"journal", "pool", "settings"},
    "ionworksdata": {"readers"},
    "galvani": {"readers"},
    "fastnda": {"readers"},
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module == "bulkload":
                yield from (f"bulkload.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top != "bulkload":
            assert room != "core" or top in PURE, f"core must stay pure: {path} imports {name}"
            assert room in HOMES.get(top, {room}), f"{name} has another home than {room}"
            continue
        other = rest.partition(".")[0]
        if other in {"", "__version__", room, "core", "errors"}:
            continue
        allowed = NEVER_IMPORTED.get(other)
        assert allowed is None or room in allowed, f"nothing may import {other}: {path}"
        assert room in JOINERS or other in MAY_IMPORT[room], f"{room} may not import {other}"


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(path) for path in modules()}
    assert rooms - JOINERS == set(MAY_IMPORT) & rooms
    assert set(MAY_IMPORT) <= rooms, "the table names a room that is gone"


def test_modules_and_functions_stay_small() -> None:
    for path in modules():
        text = path.read_text("utf-8")
        assert text.count("\n") < 400, f"{path} has grown past 400 lines: split it by meaning"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert _body_lines(node) <= 60, f"{path}: {node.name} is longer than 60 lines"


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    docstring = 0
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        assert first.end_lineno is not None
        docstring = first.end_lineno - first.lineno + 1
    return node.end_lineno - node.lineno + 1 - docstring


def test_the_top_level_holds_what_it_should() -> None:
    expected = {
        "pyproject.toml", "bulkload", "tests", "scripts", "README.md", "Makefile", "LICENSE",
        "CHANGELOG.md",
    }  # fmt: skip
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert expected <= found
    assert found - expected <= {"dist", "build", "bulkload.egg-info"}
