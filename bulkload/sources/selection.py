"""Which entries of a source are taken: patterns of the form of a ``.gitignore``.

Patterns come from ``--include`` and ``--exclude`` and from files named ``.bulkloadignore``. As
with ``.gitignore``, the last pattern that matches decides, ``!`` takes an entry in again, and
what lies in a folder that is left out is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from pathspec import GitIgnoreSpec

from bulkload.errors import SettingsError

IGNORE_FILE: Final = ".bulkloadignore"
#: The rule of a file that no pattern of ``--include`` matches.
NOT_INCLUDED: Final = "not_included"


@dataclass(frozen=True, slots=True)
class Patterns:
    """Some patterns, and the word under which they leave entries out."""

    word: str
    texts: tuple[str, ...]
    _spec: GitIgnoreSpec = field(compare=False)

    @classmethod
    def of(cls, word: str, texts: Sequence[str]) -> Self:
        """Compile patterns; raises ``SettingsError`` for one with a mistake."""
        try:
            return cls(word, tuple(texts), GitIgnoreSpec.from_lines(texts))
        except ValueError as error:
            raise SettingsError(f"{word}: {error}; patterns are those of .gitignore") from error

    def verdict(self, path: str) -> tuple[bool | None, str]:
        """Return whether the patterns match a path, None where none speaks of it, and which."""
        found = self._spec.check_file(path)
        text = "" if found.index is None else self.texts[found.index].strip()
        return found.include, text


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a source is taken."""

    include: Patterns | None = None
    exclude: Patterns | None = None
    #: Of each folder above, itself included, its depth and the patterns of its ignore file.
    ignored: tuple[tuple[int, Patterns], ...] = ()

    @classmethod
    def of(cls, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Self:
        """Return the selection that options state."""
        return cls(
            Patterns.of("include", include) if include else None,
            Patterns.of("exclude", exclude) if exclude else None,
        )

    def narrowed(self, include: Sequence[str], exclude: Sequence[str]) -> Selection:
        """Return the selection with further patterns, which come after those that it has."""
        wanted = () if self.include is None else self.include.texts
        unwanted = () if self.exclude is None else self.exclude.texts
        return Selection.of((*wanted, *include), (*unwanted, *exclude))

    def within(self, folder: Path, depth: int) -> Selection:
        """Return the selection that holds in a folder: its own ignore file counts too.

        Raises ``SettingsError`` for an ignore file that cannot be read.
        """
        path = folder / IGNORE_FILE
        if not path.is_file():
            return self
        try:
            texts = path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read as UTF-8 text: {error}") from error
        return self.with_ignored(texts, depth)

    def with_ignored(self, texts: Sequence[str], depth: int) -> Selection:
        """Return the selection with the lines of an ignore file of a folder of this depth."""
        patterns = Patterns.of("ignore", texts)
        return Selection(self.include, self.exclude, (*self.ignored, (depth, patterns)))

    def rule(self, parts: Sequence[str], *, is_folder: bool = False) -> str | None:
        """Return the rule that leaves an entry out, None for one that is taken.

        ``parts`` are its folders and name below the source.
        """
        if not self.ignored and self.include is None and self.exclude is None:
            return None
        end = "/" if is_folder else ""
        path = "/".join(parts) + end
        if self.exclude is not None and (found := self.exclude.verdict(path))[0]:
            return f"exclude {found[1]}"
        for depth, patterns in reversed(self.ignored):
            is_left_out, text = patterns.verdict("/".join(parts[depth:]) + end)
            if is_left_out is not None:
                if is_left_out:
                    return f"ignore {text}"
                break
        is_wanted = is_folder or self.include is None or self.include.verdict(path)[0]
        return None if is_wanted else NOT_INCLUDED
