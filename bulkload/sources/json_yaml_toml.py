"""Metadata files (.json .yaml .yml .toml) as plain, JSON-able data.

The three formats are read alike and strictly: no key twice, no NaN, dates as ISO text, and in
YAML neither aliases (they can grow without bound) nor unquoted text that turns into another type
(``no`` stays text, ``007`` stays text, ``12:30`` stays text).
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import math
import re
import tomllib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from bulkload.archives.access import beginning
from bulkload.core.address import is_elsewhere, place
from bulkload.core.text import is_encodable, shown
from bulkload.errors import UnreadableError
from bulkload.sources.patience import patience

DOCUMENT_SUFFIXES: Final = (".json", ".yaml", ".yml", ".toml")
#: Largest metadata file, in bytes: a specification has a few kilobytes.
MAX_DOCUMENT_BYTES: Final = 4 << 20
#: Deepest nesting: far beyond any record of Studio, far below the interpreter's own limit.
MAX_DEPTH: Final = 32

_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_TOML_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a metadata file, and the lines of its keys."""

    path: Path
    data: Any
    text: str

    def line_of(self, *keys: str) -> int:
        """Return the line of a key (1 for none), each key searched for after the previous one."""
        start = 0
        for key in keys:
            pattern = rf"(?:^|[\s{{,.\[\"']){re.escape(key)}[\"']?\s*[:=\].]"
            found = re.compile(pattern, re.MULTILINE).search(self.text, start)
            if found is not None:
                start = found.end() - 1
        return self.text.count("\n", 0, start) + 1


def load(path: Path) -> Document:
    """Read a metadata file; raise UnreadableError with the line and the error."""
    text = _text(path)
    try:
        data = _PARSERS[path.suffix.lower()](text)
    except json.JSONDecodeError as error:
        raise _broken(path, error.lineno, error.msg) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _broken(path, mark.line + 1 if mark else 1, error.problem or "not YAML") from error
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise _broken(path, line, _TOML_LINE.sub("", str(error))) from error
    except RecursionError as error:
        raise _broken(path, 1, "nested too deeply") from error
    except _KeyTwiceError as error:
        raise _broken(path, _second_line(text, error.key), str(error)) from error
    except yaml.YAMLError as error:
        raise _broken(path, 1, str(error).splitlines()[0]) from error
    except ValueError as error:
        raise _broken(path, 1, "it contains a number that cannot be read") from error
    document = Document(path, data, text)
    try:
        return Document(path, jsonable(data), text)
    except NotJsonableError as error:
        raise UnreadableError(f"line {document.line_of(*error.keys)}: {error}") from error


def _text(path: Path) -> str:
    try:
        data = patience().one(partial(_head, path))
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_DOCUMENT_BYTES:
        raise UnreadableError(
            f"is larger than {MAX_DOCUMENT_BYTES} bytes, the limit for metadata; is it a data file?"
        )
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8-sig")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _broken(path, line, "not UTF-8 text; save it as UTF-8") from error


def _head(path: Path) -> bytes:
    if is_elsewhere(str(path)):
        return beginning(place(path), MAX_DOCUMENT_BYTES + 1)
    with path.open("rb") as stream:
        return stream.read(MAX_DOCUMENT_BYTES + 1)


def _broken(path: Path, line: int, what: str) -> UnreadableError:
    kind = path.suffix.lower().lstrip(".").upper()
    return UnreadableError(f"line {line}: not valid {kind}: {what}")


class NotJsonableError(ValueError):
    """Some part of a value has no JSON form; ``keys`` lead to it."""

    def __init__(self, keys: tuple[str, ...], what: str) -> None:
        super().__init__(f"{shown('.'.join(keys)) if keys else 'the value'} {what}")
        self.keys = keys


def jsonable(value: Any, keys: tuple[str, ...] = ()) -> Any:
    """Return a value in plain JSON types, dates as ISO text; raise NotJsonableError otherwise."""
    if len(keys) > MAX_DEPTH:
        raise NotJsonableError(keys[:1], "is nested too deeply")
    match value:
        case None | bool() | int():
            return value
        case str():
            if not is_encodable(value):
                raise NotJsonableError(
                    keys, "contains half a surrogate pair, which is not valid text"
                )
            return value
        case float() if math.isfinite(value):
            return value
        case float():
            raise NotJsonableError(keys, "is not a finite number; leave it out if unknown")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case list():
            return [jsonable(item, (*keys, str(at))) for at, item in enumerate(value)]
        case dict():
            return {
                _key(key, keys): jsonable(item, (*keys, str(key))) for key, item in value.items()
            }
    raise NotJsonableError(keys, f"is of a type ({type(value).__name__}) that JSON does not have")


def _key(key: object, above: tuple[str, ...]) -> str:
    if not isinstance(key, str) or not is_encodable(key):
        raise NotJsonableError((*above, str(key)), "must be text to be a key; quote it")
    return key


def parse_json(text: str) -> Any:
    """Parse JSON; raise ValueError if a key occurs twice in one object."""
    return json.loads(text, object_pairs_hook=_unique)


class _KeyTwiceError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(f"the key {shown(key)} occurs twice in one object")
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


def _second_line(text: str, key: str) -> int:
    places = [found.start() for found in re.finditer(rf'"{re.escape(key)}"\s*:', text)]
    return text.count("\n", 0, places[1]) + 1 if len(places) > 1 else 1


class _StrictLoader(yaml.SafeLoader):
    """YAML with the few unquoted types of version 1.2, unique keys and no aliases."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  (as the base class has it)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            what = "aliases (*name) are not allowed; write the value out"
            raise yaml.composer.ComposerError(None, None, what, mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                what = "a key must be text"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            if key.value in seen:
                what = f"the key {shown(str(key.value))} occurs twice in one object"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.inf|\.nan)\Z",
        "-+.0123456789",
    ),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
    )


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  (a SafeLoader, made stricter)


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    ".json": parse_json,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".toml": tomllib.loads,
}
