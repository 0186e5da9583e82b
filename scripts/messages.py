"""List every message to people with its code and the line that has it, by reading the source.

``python scripts/messages.py`` prints a table as Markdown; words after it choose folders or modules
(``python scripts/messages.py engine cli/jobs/run``). A message is a text of at least three words
that is no docstring, pattern or statement of SQL. In a message ``{...}`` is a value, and
``[a|b]`` is one of several texts. Its code is the cause, rule or issue code beside it; where
there is none, the class of the exception, or the call or assignment that takes the text.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "bulkload"

#: Keywords, and enumerations, that hold the code of a message.
CODE_KEYWORDS: Final = ("cause", "rule", "code")
CODE_ENUMS: Final = frozenset({"Rule", "IssueCode", "ExtraCode", "CampaignCode"})
#: Calls that only make a text safe to print.
SAFE: Final = frozenset({"printable", "shown", "str", "repr", "clean_text"})
#: Calls whose texts are for programs.
INTERNAL: Final = frozenset({"compile", "TypeVar", "NewType", "execute", "executemany", "strptime"})

_WORDS: Final = re.compile(r"(?:(?:^|\s)[\W\d_]*[^\W\d_]{2,}[^\s]*(?=\s|$).*?){3}", re.DOTALL)
_SQL: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|ALTER|WITH) ")


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A message to people and where it is."""

    path: str
    line: int
    code: str
    text: str
    #: Whether the code is a stable word, not the name of what takes the text.
    is_code: bool = False


def messages(package: Path = PACKAGE) -> list[Message]:
    """Return all messages of a package, sorted by module and line."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package.parent).as_posix()
        found += [*_visit(ast.parse(path.read_text("utf-8")), place, ())]
    return sorted(set(found))


def _visit(node: ast.AST, place: str, above: tuple[ast.AST, ...]) -> Iterator[Message]:
    """Yield the messages of a node; ``above`` holds what encloses it, outermost first."""
    if isinstance(node, ast.expr) and _is_text(node):
        text = rendered(node)
        if _is_message(text):
            code, is_code = _code(node, above)
            yield Message(place, node.lineno, code, text, is_code)
        return
    if isinstance(node, ast.Call) and _name(node.func) in INTERNAL:
        return
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not is_docstring:
            yield from _visit(child, place, (*above, node))


def _is_text(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_text(left) or _is_text(right)
        case ast.IfExp(body=body, orelse=other):
            return _is_text(body) and _is_text(other)
        case _:
            return False


def _is_message(text: str) -> bool:
    plain = _without_values(text)
    return bool(_WORDS.search(plain)) and not _SQL.match(plain)


def rendered(node: ast.expr) -> str:
    """Return an expression that makes a text as that text, its values in braces."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(rendered, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return rendered(left) + rendered(right)
        case ast.IfExp(body=body, orelse=other):
            return f"[{rendered(body)}|{rendered(other)}]"
        case ast.Call(func=ast.Name(id=name), args=[only]) if name in SAFE:
            return rendered(only)
        case ast.FormattedValue(value=value):
            return rendered(value)
        case _:
            return f"{{{ast.unparse(node)}}}"


def _without_values(text: str) -> str:
    depth, kept = 0, []
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth == 0 and char != "}":
            kept.append(char)
    return "".join(kept)


def _code(node: ast.expr, above: tuple[ast.AST, ...]) -> tuple[str, bool]:
    """Return the code beside a message; else the name of what takes it, and that it is none."""
    taker = ""
    for outer in reversed(above):
        if isinstance(outer, ast.stmt):
            match outer:
                case ast.Return(value=ast.Tuple(elts=parts)):
                    code = next(filter(None, map(_enum_member, parts)), "")
                    return code or taker or "return", bool(code)
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    return taker or name, False
                case _:
                    return taker or type(outer).__name__.lower(), False
        if isinstance(outer, ast.Call) and (name := _name(outer.func)) not in SAFE:
            for keyword in outer.keywords:
                if keyword.arg in CODE_KEYWORDS and keyword.value is not node:
                    return _enum_member(keyword.value) or rendered(keyword.value), True
            if code := next(filter(None, map(_enum_member, outer.args)), ""):
                return code, True
            taker = taker or name
    return taker, False


def _enum_member(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=enum), attr=name) if enum in CODE_ENUMS:
            return name.lower()
        case _:
            return ""


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def table(found: list[Message]) -> str:
    """Return messages as a Markdown table."""
    lines = ["| where | code | message |", "|---|---|---|"]
    for one in found:
        text = " ".join(one.text.split()).replace("|", "\\|")
        lines.append(f"| {one.path}:{one.line} | {one.code} | {text} |")
    return "\n".join(lines)


def main(words: list[str]) -> None:
    """Print the table of all messages, or of those in the folders and modules named."""
    chosen = tuple(f"bulkload/{word}" for word in words) or ("bulkload/",)
    found = [one for one in messages() if one.path.startswith(chosen)]
    print(table(found))
    print(f"\n{len(found)} messages")


if __name__ == "__main__":
    main(sys.argv[1:])
