"""The tables of what machines read: ``--json``, ``live.json`` and ``log.jsonl``, from the code."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Final, get_args

from bulkload.cli.output import json_documents, json_lines
from bulkload.client.http import events as wire
from bulkload.core import lifecycle, limiting, snapshot
from bulkload.engine.log import OTHER_EVENTS

Row = tuple[str, ...]

_WORDS: Final = {"int": "integer", "float": "number", "str": "string", "bool": "boolean",
                 "None": "null", "Any": "any value"}  # fmt: skip


def documents() -> Iterator[Row]:
    """Yield object, field, type and meaning of everything that ``--json`` prints."""
    for _, node in _classes(json_documents):
        title = (ast.get_docstring(node) or "").rstrip(".").replace("``", "`")
        yield from _rows(title, node)
    for name, node in _classes(json_lines):
        yield from _rows(f"`{name}`", node)


def live_state() -> Iterator[Row]:
    """Yield object, field, type and meaning of ``live.json``."""
    yield ("`RunSnapshot`", "`format`", "integer", f"{snapshot.FORMAT}: the form of this object")
    for module in (snapshot, limiting):
        for name, node in _classes(module):
            if name in {"RunSnapshot", "StageState", "FileInHand", "Pause", "Eta", "Limit"}:
                yield from _rows(f"`{name}`", node)
    yield ("`Limit`", "`change`", "string", "what would change it")
    yield ("`Eta`", "`seconds`", "number", "seconds until the end")
    yield ("`Eta`", "`basis`", "string", "what the estimate stands on, in words")


def log_events() -> Iterator[Row]:
    """Yield event, fields and meaning of each line of the log."""
    # What is too much for a log is not in it (``LogWatcher``).
    of_the_wire = [kind for kind in get_args(wire.WireEvent) if kind is not wire.Exchanged]
    for kind in (*_events_of_jobs(), *of_the_wire):
        own = ("`job`, `key`",) if issubclass(kind, lifecycle.Event) else ()
        names = [f"`{field.name}`" for field in fields(kind)]
        yield (f"`{kind.__name__}`", ", ".join([*own, *names]), _first_line(kind))
    for event, (of_event, meaning) in OTHER_EVENTS.items():
        yield (f"`{event}`", ", ".join(f"`{name}`" for name in of_event), meaning)


def _events_of_jobs() -> list[type[lifecycle.Event]]:
    named = [kind for kind in vars(lifecycle).values() if inspect.isclass(kind)]
    left_out = (lifecycle.Event, lifecycle.Attempting)
    return [one for one in named if issubclass(one, lifecycle.Event) and one not in left_out]


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "`")


def _classes(module: ModuleType) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            # Kept beside the node: comments are no part of the tree.
            node.lines = inspect.getsource(module).splitlines()  # type: ignore[attr-defined]
            yield node.name, node


def _rows(owner: str, node: ast.ClassDef) -> Iterator[Row]:
    lines: list[str] = node.lines  # type: ignore[attr-defined]
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            at = one.lineno - 2
            above: list[str] = []
            while lines[at].strip().startswith("#:"):
                above.insert(0, lines[at].strip()[2:].strip())
                at -= 1
            if not above:
                raise ValueError(f"{node.name}.{one.target.id} has no comment that says what it is")
            kind = _shown_type(ast.unparse(one.annotation))
            meaning = " ".join(above).rstrip(".").replace("``", "`")
            yield (owner, f"`{one.target.id}`", kind, meaning)


def _shown_type(annotation: str) -> str:
    text = re.sub(r"Mapping\[[^\[\]]*\]", "object", annotation)
    text = re.sub(r"(?:Sequence|tuple)\[([\w\[\], ]+?)(?:, \.\.\.)?\]", r"array of \1", text)
    text = text.replace(" | ", " or ")
    return re.sub(r"\w+", lambda word: _shown_word(word[0]), text)


def _shown_word(word: str) -> str:
    if word in {"RunState", "StageName", "LimitName"}:
        return "string"
    if word[0].isupper() and word not in _WORDS:
        return f"`{word}`"
    return _WORDS.get(word, word)
