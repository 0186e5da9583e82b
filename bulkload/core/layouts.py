"""Several ways in which names come out of paths: layouts and named regular expressions.

An archive that grew over years names its files in more than one way. Of several ways the first
that fits a path is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Self

from bulkload.core.path_layout import FIELDS, Layout, LayoutError, normalised

#: Ways that a message quotes; of more it gives the number.
SHOWN_WAYS: Final = 3


@dataclass(frozen=True, slots=True)
class NamedPattern:
    """A regular expression for whole paths below the source, whose named groups are fields."""

    text: str
    _pattern: re.Pattern[str] = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Compile a pattern; raises ``LayoutError`` with what is wrong with it."""
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise LayoutError(f"is not a regular expression: {error}") from None
        for name in pattern.groupindex:
            if name not in FIELDS:
                near = get_close_matches(name, FIELDS, 1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(FIELDS)}"
                raise LayoutError(f"has an unknown group {name!r}; {hint}")
        if "measurement" not in pattern.groupindex:
            raise LayoutError("has no group (?P<measurement>...)")
        return cls(text, pattern)

    def match(self, parts: Sequence[str]) -> Mapping[str, str] | None:
        """Return the fields of a path's components, None where it does not fit.

        The whole path has to fit, its ending included. A group that holds nothing states nothing.
        """
        found = self._pattern.fullmatch("/".join(normalised(part) for part in parts))
        if found is None or not found["measurement"]:
            return None
        return {name: value for name, value in found.groupdict().items() if value}


Way = Layout | NamedPattern


@dataclass(frozen=True, slots=True)
class Layouts:
    """Ways of naming, in the order in which they are tried."""

    ways: tuple[Way, ...]

    @property
    def text(self) -> str:
        """The ways as they are written, for messages."""
        shown = [way.text for way in self.ways[:SHOWN_WAYS]]
        rest = len(self.ways) - SHOWN_WAYS
        return " or ".join(shown) + (f" or {rest} more" if rest > 0 else "")

    def match(self, parts: Sequence[str]) -> Mapping[str, str] | None:
        """Return the fields by the first way that fits, None where none does."""
        for way in self.ways:
            found = way.match(parts)
            if found is not None:
                return found
        return None

    def first(self, parts: Sequence[str]) -> Way | None:
        """Return the first way that fits a path, None where none does."""
        return next((way for way in self.ways if way.match(parts) is not None), None)
