"""List conventions: filters, order and pages, from a query string to one SQL condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.datetimes import normalise
from bulkload.localstudio.error_answers import ErrorAnswer
from bulkload.localstudio.store import StoredRecord

ORDER_COLUMNS: Final = ("name", "created_at", "updated_at", "start_time")
#: Kinds whose records have no name of their own alone, and so no ``name_key`` made of it.
NAMES_MAY_REPEAT: Final = frozenset({"raw_data", "protocol"})

_COMPARISONS: Final = {"_gt": ">", "_lt": "<"}


@dataclass(slots=True)
class Condition:
    """An SQL condition that grows; its words are ours, its values are bound."""

    kind: str
    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, part: str, *values: Any) -> None:
        """Ask for one thing more."""
        self.parts.append(part)
        self.values.extend(values)

    @property
    def text(self) -> str:
        """Return the SQL."""
        return " AND ".join(self.parts)


def condition(kind: str, scope: str | None = None, project: str | None = None) -> Condition:
    """Start a condition: one kind, within one parent or one project."""
    start = Condition(kind)
    start.add("kind = ?", kind)
    if scope is not None:
        start.add("scope = ?", scope)
    if project is not None:
        start.add("project = ?", project)
    return start


def page(
    call: Call,
    wanted: Condition,
    view: Callable[[StoredRecord], Any],
    *,
    default: int | None = None,
    largest: int | None = None,
) -> web.Response:
    """Answer one page in the envelope, after the filters that all lists share."""
    items, total = page_items(call, wanted, view, default=default, largest=largest)
    return answer({"items": items, "count": len(items), "total": total})


def page_items(
    call: Call,
    wanted: Condition,
    view: Callable[[StoredRecord], Any],
    *,
    default: int | None = None,
    largest: int | None = None,
) -> tuple[list[Any], int]:
    """Return the items of one page and the number of all matches."""
    query = call.request.query
    _add_name_filter(call, wanted)
    _add_shared_filters(wanted, query, call.studio.email)
    hidden = call.studio.faults.hidden_ids()
    if hidden:
        wanted.add(f"id NOT IN ({', '.join('?' * len(hidden))})", *hidden)
    settings = call.studio.settings
    limit, offset = _window(
        query,
        settings.page_default if default is None else default,
        settings.page_max if largest is None else largest,
        clamp=settings.page_over_limit == "clamp",
    )
    records, total = call.studio.store.page(
        wanted.text, wanted.values, _order(query), limit, offset
    )
    return [view(record) for record in records], total


def text_filter(column: str, value: str) -> tuple[str, str]:
    """Return the condition for ``eq.`` and ``ilike.``; a bare value means equal."""
    if value.startswith("ilike."):
        # % and _ inside the value act as wildcards: the official client does not escape them.
        return f"{column} LIKE ?", value.removeprefix("ilike.")
    return f"{column} = ?", value.removeprefix("eq.")


def body_filter(wanted: Condition, query: Mapping[str, str], key: str) -> None:
    """Filter by a plain text field of the body, where the query names it."""
    if key in query:
        wanted.add(*text_filter(f"json_extract(body, '$.{key}')", query[key]))


def tag_filters(wanted: Condition, all_of: Sequence[str], any_of: Sequence[str]) -> None:
    """Filter measurements by tags, without regard to case."""
    one = "EXISTS (SELECT 1 FROM json_each(record.body, '$.tags') WHERE lower(value) {})"
    for tag in all_of:
        wanted.add(one.format("= lower(?)"), tag)
    if any_of:
        marks = ", ".join(["lower(?)"] * len(any_of))
        wanted.add(one.format(f"IN ({marks})"), *any_of)


def _add_name_filter(call: Call, wanted: Condition) -> None:
    text = call.request.query.get("name")
    if text is None:
        return
    clause, value = text_filter("name", text)
    wanted.add(clause, value)
    if clause == "name = ?" and wanted.kind not in NAMES_MAY_REPEAT:
        # The same in other words: uniqueness has an index, the bare name has none.
        wanted.add("name_key = ?", call.name_key(wanted.kind, value))


def _add_shared_filters(wanted: Condition, query: Mapping[str, str], email: str) -> None:
    if "created_by_email" in query:
        clause, value = text_filter("?", query["created_by_email"])
        wanted.add(clause, email, value)
    for column in ("created_at", "updated_at", "start_time"):
        for suffix, sign in _COMPARISONS.items():
            if column + suffix in query:
                wanted.add(f"{column} {sign} ?", _moment(column + suffix, query[column + suffix]))


def _moment(name: str, text: str) -> str:
    try:
        return normalise(text)
    except ValueError as error:
        raise _bad_query(name, f"{text!r} is not an ISO 8601 time") from error


def _order(query: Mapping[str, str]) -> str:
    column = query.get("order_by", "created_at")
    direction = query.get("order", "desc")
    if column not in ORDER_COLUMNS:
        raise _bad_query("order_by", f"use one of {', '.join(ORDER_COLUMNS)}")
    if direction not in {"asc", "desc"}:
        raise _bad_query("order", "use asc or desc")
    # `seq` grows as `created_at` does, and unlike it has an index and no ties.
    return (
        f"seq {direction}" if column == "created_at" else f"{column} {direction}, seq {direction}"
    )


def _window(
    query: Mapping[str, str], default: int, largest: int, *, clamp: bool
) -> tuple[int, int]:
    if clamp:
        limit = whole_number(query, "limit", default)
        return min(max(limit, 1), largest), max(whole_number(query, "offset", 0), 0)
    return whole_number(query, "limit", default, 1, largest), whole_number(query, "offset", 0, 0)


def whole_number(
    query: Mapping[str, str],
    name: str,
    default: int,
    least: int | None = None,
    largest: int | None = None,
) -> int:
    """Return a whole number of the query, or refuse with 422 what is none or out of range."""
    text = query.get(name)
    try:
        number = default if text is None else int(text)
    except ValueError as error:
        raise _bad_query(name, f"{text!r} is not a whole number") from error
    if (least is not None and number < least) or (largest is not None and number > largest):
        raise _bad_query(name, f"{number} is out of range: use {least} to {largest or 'any'}")
    return number


class _BadQueryError(ErrorAnswer):
    def __init__(self, name: str, message: str) -> None:
        super().__init__(422, f"{name}: {message}")
        self.name = name

    def body(self, _form: Any, _conflict: Any) -> Any:
        finding = {"loc": ["query", self.name], "msg": self.message, "type": "value_error"}
        return {"detail": [finding]}


def _bad_query(name: str, message: str) -> ErrorAnswer:
    return _BadQueryError(name, message)
