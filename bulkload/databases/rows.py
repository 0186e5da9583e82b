"""Rows of the small queries: their values by name, names made of them, filters."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from bulkload.databases.configuration import Filters
from bulkload.errors import PlanError


def value(row: Mapping[str, Any], name: str) -> Any:
    """Return a row's value of a column, whatever the case of its name; ``PlanError`` for none."""
    if name in row:
        return row[name]
    alike = [key for key in row if key.casefold() == name.casefold()]
    if len(alike) == 1:
        return row[alike[0]]
    raise PlanError(f"a query gives no column {name!r}; it gives {', '.join(row)}")


def filled_pattern(pattern: str, row: Mapping[str, Any], where: str) -> str:
    """Return a name made of a pattern and a row; ``PlanError`` for a part that is NULL."""
    parts = []
    for text, name, _, _ in string.Formatter().parse(pattern):
        parts.append(text)
        if name is not None:
            found = value(row, name)
            if found is None:
                raise PlanError(f"{where}: {name} is NULL in a row, and is part of the name")
            # A CHAR column is padded with blanks, which are no part of a name.
            parts.append(str(found).strip())
    return "".join(parts)


def filtered(row: Mapping[str, Any], only: Filters) -> str:
    """Return why filters leave a row out, empty where they do not."""
    for name, allowed in only.items():
        found = value(row, name)
        if str(found) not in {str(one) for one in allowed}:
            return f"{name} is {found}"
    return ""
