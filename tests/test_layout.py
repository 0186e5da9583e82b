"""The import rule: who may know whom. The table is the rule; the code is read and held to it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bulkload"

#: What `core` may import from outside: nothing that knows a clock, chance, disk, network or log.
PURE = {
    "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "datetime",
    "difflib", "email", "enum", "fnmatch", "functools", "hashlib", "heapq", "itertools", "json",
    "math", "numpy", "operator", "re", "shlex", "statistics", "string", "struct", "types", "typing",
    "unicodedata", "warnings", "zoneinfo",
}  # fmt: skip

#: Folder -> folders of ours that it may import, besides itself, `core` and `errors`. A top module
#: is a folder of one. `cli`, `client` and `core` are rooms of several folders, each with a row.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "settings": set(),
    "core": set(),
    "core/flow": set(),
    "core/rules": set(),
    "core/sheets": {"core/survey"},
    "core/survey": set(),
    "archives": set(),
    "tables": set(),
    "validators": {"core/rules", "tables"},
    "readers": {"core/rules"},
    "databases": {"readers"},
    "sources": {"archives", "core/rules", "core/sheets", "core/survey", "databases", "readers"},
    "surveying": {"archives", "core/sheets", "core/survey", "readers", "sources"},
    "worker": {"archives", "core/rules", "databases", "readers", "sources", "tables"},
    "journal": {"core/rules"},
    "client/http": {"clock", "core/flow"},
    "client/storage": {"client/http", "clock", "core/flow"},
    "client/api": {"client/http", "client/storage", "core/rules", "tables",
                   "validators"},
    "client": {"client/api", "client/http", "client/storage", "clock", "core/flow",
               "tables"},
    "engine": {"archives", "client", "client/api", "client/http", "clock",
               "core/flow", "core/rules", "journal", "settings", "sources", "tables", "worker"},
    "lanes": {"clock", "engine", "journal", "settings", "worker"},
    "report": {"engine", "journal"},
    "evidence": {"client", "engine", "journal", "sources"},
    "localstudio": {"tables"},
    "demo": set(),
    "cli": {"cli/options", "cli/output"},
    "cli/output": {"journal"},
    "cli/options": {"cli/output", "core/survey", "databases", "lanes", "readers", "settings",
                    "sources"},
    "cli/live": {"cli/output", "engine"},
    "cli/jobs": {"archives", "cli/live", "cli/options", "cli/output", "core/survey", "engine",
                 "journal", "lanes", "report", "settings", "sources"},
    "cli/commands": {"archives", "cli", "cli/jobs", "cli/live", "cli/options", "cli/output",
                     "client", "client/http", "clock", "core/rules", "core/sheets", "core/survey",
                     "databases", "demo", "engine", "evidence", "journal", "lanes", "localstudio",
                     "readers", "report", "settings", "sources", "surveying", "validators",
                     "worker"},
    "bulk": {"archives", "cli", "cli/commands", "cli/jobs", "cli/options", "clock", "core/survey",
             "engine", "journal", "readers", "settings", "sources", "surveying"},
    "__init__": {"bulk", "client"},
    "__main__": {"cli"},
}  # fmt: skip

#: A third party has one home.
HOMES = {
    "aiohttp": {"client/http", "client/storage", "localstudio", "report"},
    "sqlite3": {"journal", "localstudio", "databases"},
    "tenacity": {"client/http"},
    "rich": {"cli", "cli/commands", "cli/jobs", "cli/live", "cli/output"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "matplotlib": {"report"},
    "apprise": {"cli/jobs"},
    "structlog": {"engine"},
    "distributed": {"lanes"},
    "cyclopts": {"cli", "cli/commands", "cli/jobs", "cli/options", "cli/output"},
    "pathspec": {"sources"},
    "opentelemetry": {"engine"},
    "prometheus_client": {"engine"},
    "psutil": {"engine", "journal", "worker", "settings"},
    "ionworksdata": {"readers"},
    "fastnda": {"readers"},
    "py7zr": {"archives"},
    "fsspec": {"archives"},
    "sshfs": {"archives"},
    "h5py": {"readers"},
    "adbc_driver_postgresql": {"databases"},
    "adbc_driver_sqlite": {"databases"},
    "pymysql": {"databases"},
    "sqlalchemy": {"databases"},
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the row of a module, given as its path below the package."""
    parts = module.split("/")
    nested = "/".join(parts[:2])
    return nested if nested in MAY_IMPORT else parts[0]


def target_of(name: str) -> str:
    """Return the path below the package of the module that an import names."""
    path = name.removeprefix("bulkload.").replace(".", "/")
    while path and not (PACKAGE / path).is_dir() and not (PACKAGE / f"{path}.py").exists():
        path = path.rpartition("/")[0]
    return path


def imported(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_its_folder_may(path: Path) -> None:
    room = room_of(str(path.relative_to(PACKAGE).with_suffix("").as_posix()))
    for name in imported(path):
        top = name.partition(".")[0]
        if top != "bulkload":
            pure = room.split("/")[0] == "core"
            assert not pure or top in PURE, f"core must stay pure: {path} imports {name}"
            assert room in HOMES.get(top, {room}), f"{name} has another home than {room}"
            continue
        other = room_of(target_of(name))
        assert other in {room, "core", "errors"} | MAY_IMPORT[room], f"{room} -> {other}: {path}"


def test_every_folder_is_in_the_table() -> None:
    rooms = {room_of(str(path.relative_to(PACKAGE).with_suffix(""))) for path in modules()}
    assert rooms == set(MAY_IMPORT)


def test_no_import_circles() -> None:
    """No module of ours imports itself over others, types included."""
    names = {str(path.relative_to(PACKAGE).with_suffix("")): path for path in modules()}
    graph = {}
    for module, path in names.items():
        found = {target_of(name) for name in imported(path) if name.startswith("bulkload")}
        graph[module.removesuffix("/__init__")] = found - {module.removesuffix("/__init__")}
    TopologicalSorter(graph).prepare()


def test_no_class_name_means_two_things() -> None:
    found = Counter(
        node.name
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in found.items() if count > 1] == []


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
