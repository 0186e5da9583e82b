"""The user's queries: one SELECT each, with values put in as literals and tables as identifiers.

Nothing here runs a query. The read-only session is what keeps a database from being changed; the
check of the text is there so that a mistake is told before a server sees it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

#: Comments, strings and quoted identifiers: what a query says outside of them is its code.
_TOKEN: Final = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]\n]*\])"
    r"|(?P<cast>::)"
    r"|(?P<parameter>:[^\W\d]\w*)"
    r"|(?P<placeholder>\{[^\W\d]\w*\})"
    r"|(?P<word>[^\W\d][\w$]*)"
    r"|(?P<other>.)",
    re.DOTALL,
)

#: Words that no reading query has outside of quotes.
_WRITING: Final = frozenset(
    {
        *("insert", "update", "delete", "merge", "truncate", "drop", "alter", "create"),
        *("grant", "revoke", "copy", "call", "exec", "execute", "into", "attach", "pragma"),
        *("vacuum", "lock"),
    }
)


class QueryError(ValueError):
    """A query is not one SELECT; the message goes on after the query's name."""


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(query):
        assert match.lastgroup is not None
        yield match.lastgroup, match.group()


def checked_query(query: str) -> str:
    """Return a query without its trailing semicolon; ``QueryError`` unless it is one SELECT."""
    code = [(kind, text) for kind, text in _tokens(query) if kind != "comment"]
    while code and (code[-1][1].isspace() or code[-1][1] == ";"):
        code.pop()
    words = [text.lower() for kind, text in code if kind == "word"]
    if not words or words[0] not in {"select", "with"}:
        raise QueryError("must begin with SELECT or WITH: a migration only reads")
    if any(kind == "other" and text == ";" for kind, text in code):
        raise QueryError("holds several statements; keep one SELECT")
    if writing := sorted(_WRITING.intersection(words)):
        raise QueryError(
            f"holds the word {writing[0].upper()}, which a reading query has no use for; quote "
            "it where it is a column's name"
        )
    return "".join(text for _, text in code).strip()


def parameters(query: str) -> tuple[str, ...]:
    """Return the names of the ``:name`` parameters, in their order, each once."""
    return tuple(dict.fromkeys(t[1:] for kind, t in _tokens(query) if kind == "parameter"))


def placeholders(query: str) -> tuple[str, ...]:
    """Return the names of the ``{name}`` placeholders, in their order, each once."""
    return tuple(dict.fromkeys(t[1:-1] for kind, t in _tokens(query) if kind == "placeholder"))


def tables_named(query: str) -> frozenset[str]:
    """Return the names behind FROM and JOIN, folded, quotes taken off, schemas kept."""
    code = [(kind, text) for kind, text in _tokens(query) if kind != "comment"]
    code = [(kind, text) for kind, text in code if not text.isspace()]
    found = set()
    for at, (kind, text) in enumerate(code):
        if kind != "word" or text.lower() not in {"from", "join"}:
            continue
        parts: list[str] = []
        for kind_here, name in code[at + 1 :]:
            if kind_here == "other" and name == "." and parts:
                continue
            is_name = kind_here == "word" or (kind_here == "quoted" and name[0] != "'")
            is_next = not parts or code[at + 1 + 2 * len(parts) - 1][1] == "."
            if not is_name or not is_next:
                break
            parts.append((name if kind_here == "word" else name[1:-1]).lower())
        if parts:
            found.add(".".join(parts))
    return frozenset(found)


def filled(
    query: str,
    values: Mapping[str, Any],
    tables: Mapping[str, str],
    *,
    literal: Callable[[Any], str],
    quote: Callable[[str], str],
) -> str:
    """Return a query with its parameters as literals and its placeholders as identifiers.

    ``tables`` must hold names that the catalogue knows. Raises ``QueryError`` for a parameter
    without a value: NULL equals nothing, so its rows could never be found.
    """

    def text_of(kind: str, text: str) -> str:
        if kind == "parameter":
            name = text[1:]
            if values.get(name) is None:
                raise QueryError(f"has the parameter :{name}, for which this row has no value")
            return literal(values[name])
        if kind == "placeholder":
            return quote(tables[text[1:-1]])
        return text

    return "".join(text_of(kind, text) for kind, text in _tokens(checked_query(query)))


def with_references(query: str, alias: str, quote: Callable[[str], str]) -> str:
    """Return a query whose parameters are columns of another table of the same statement."""
    return "".join(
        f"{alias}.{quote(text[1:])}" if kind == "parameter" else text
        for kind, text in _tokens(checked_query(query))
    )
