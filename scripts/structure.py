"""Measure the structure of the package: rooms, arrows, circles, modules, functions, lines.

python scripts/structure.py                the working tree
python scripts/structure.py --at REV       a revision of git, read with ``git archive``

A room is a folder with modules; a module at the top of the package is a room of its own. An arrow
is a pair of rooms of which one imports the other; a circle, a set of rooms that reach one another.
A function's length is in lines without its docstring. Lines of code are those of ``.py`` and
``.sql`` files that are neither empty nor comment nor docstring.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import subprocess
import tarfile
import tempfile
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "bulkload"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What was measured."""

    rooms: int
    arrows: int
    circles: tuple[str, ...]
    modules: int
    median_lines: float
    percentile_95_lines: int
    longest_lines: int
    longest_name: str
    code_lines: int

    def rows(self) -> list[tuple[str, str]]:
        """Return the figures with their names."""
        return [
            ("rooms", f"{self.rooms}"),
            ("arrows between rooms", f"{self.arrows}"),
            ("circles of rooms", f"{len(self.circles)} ({'; '.join(self.circles) or 'none'})"),
            ("modules", f"{self.modules}"),
            ("function length: median, lines", f"{self.median_lines:g}"),
            ("function length: 95th percentile, lines", f"{self.percentile_95_lines}"),
            (
                "function length: longest, lines",
                f"{self.longest_lines} (`{self.longest_name}`)",
            ),
            ("lines of product code", f"{self.code_lines:,}"),
        ]


@contextmanager
def tree(revision: str | None) -> Iterator[Path]:
    """Yield the folder of the sources: the working tree, or a revision unpacked."""
    if revision is None:
        yield ROOT
        return
    words = ["git", "archive", "--format=tar", revision, PACKAGE]
    packed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="bulkload-structure-") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def measure(root: Path) -> Structure:
    """Measure the package below a folder."""
    package = root / PACKAGE
    sources = {
        path.relative_to(package).with_suffix("").as_posix(): path.read_text("utf-8")
        for path in sorted(package.rglob("*.py"))
    }
    trees = {name: ast.parse(text) for name, text in sources.items()}
    arrows = {
        (room_of(name), room_of(other))
        for name, parsed in trees.items()
        for other in imports(parsed, sources)
        if room_of(name) != room_of(other)
    }
    lengths = sorted(
        (body_lines(node), f"{name}.{node.name}")
        for name, parsed in trees.items()
        for node in ast.walk(parsed)
        if isinstance(node, Function)
    )
    only_lengths = [length for length, _ in lengths]
    sql = [path.read_text("utf-8") for path in package.rglob("*.sql")]
    return Structure(
        rooms=len({room_of(name) for name in sources}),
        arrows=len(arrows),
        circles=tuple(" - ".join(sorted(group)) for group in circles(arrows)),
        modules=len(sources),
        median_lines=statistics.median(only_lengths),
        percentile_95_lines=only_lengths[int(0.95 * (len(only_lengths) - 1))],
        longest_lines=lengths[-1][0],
        longest_name=lengths[-1][1],
        code_lines=sum(map(code_lines, sources.values())) + sum(map(sql_lines, sql)),
    )


def room_of(module: str) -> str:
    """Return the folder of a module, or its own name at the top of the package."""
    folder, _, name = module.rpartition("/")
    return folder or name


def imports(parsed: ast.Module, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield the modules of ours that a module imports, anywhere in it."""
    for node in ast.walk(parsed):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] == PACKAGE and (found := _module(name, sources)):
                yield found


def _module(name: str, sources: Mapping[str, str]) -> str:
    path = "/".join(name.split(".")[1:])
    while path and path not in sources and f"{path}/__init__" not in sources:
        path = path.rpartition("/")[0]
    return path if path in sources else f"{path}/__init__" if path else "__init__"


def circles(arrows: set[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of rooms that reach one another over arrows."""
    after: dict[str, set[str]] = {}
    for start, end in arrows:
        after.setdefault(start, set()).add(end)
    reached = {room: _reach(room, after) for room in after}
    found: list[set[str]] = []
    for room, ends in reached.items():
        group = {other for other in ends if room in reached.get(other, set())}
        if group and group not in found:
            found.append(group)
    return found


def _reach(room: str, after: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [room]
    while waiting:
        for other in after.get(waiting.pop(), set()) - seen:
            seen.add(other)
            waiting.append(other)
    return seen


def body_lines(node: Function) -> int:
    """Return a function's lines without its docstring."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        first = node.body[0]
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def code_lines(source: str) -> int:
    """Return the lines that hold code: no comment, no docstring, not empty."""
    lines: set[int] = set()
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node):
            first = node.body[0]
            lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def sql_lines(source: str) -> int:
    """Return the lines of SQL that are neither empty nor comment."""
    lines = (line.strip() for line in source.splitlines())
    return sum(1 for line in lines if line and not line.startswith("--"))


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--at", metavar="REV", help="a revision of git instead of the tree")
    revision = parser.parse_args().at
    with tree(revision) as root:
        rows = measure(root).rows()
    print(f"| | {revision or 'working tree'} |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
