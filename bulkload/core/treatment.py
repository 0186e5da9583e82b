"""What single measurements are given beside what the plan and the run state of them.

A treatment is chosen by a person (``bulkload retry --cause C --transform T``) and kept for its
measurements. A remedy is a treatment that a worker tried on a rejected one and that lets it pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Transforms, checks left out, reader and dialects of single measurements."""

    #: Made after those that the plan or the run states.
    transforms: tuple[str, ...] = ()
    #: Left out beside those that the plan or the run leaves out; sorted.
    skip_checks: tuple[str, ...] = ()
    reader: str | None = None
    #: A TOML file of formats of the user's own.
    dialects: str | None = None

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self != Treatment()

    def __str__(self) -> str:
        """Return it as the options of ``bulkload retry``."""
        parts = [
            *([f"--transform {','.join(self.transforms)}"] if self.transforms else []),
            *([f"--skip-check {' '.join(self.skip_checks)}"] if self.skip_checks else []),
            *([f"--reader {self.reader}"] if self.reader else []),
            *([f"--dialects {self.dialects}"] if self.dialects else []),
        ]
        return " ".join(parts)

    def then(self, later: Treatment) -> Treatment:
        """Return both together; where both name a reader or dialects, the later one holds."""
        return Treatment(
            transforms=once((*self.transforms, *later.transforms)),
            skip_checks=tuple(sorted({*self.skip_checks, *later.skip_checks})),
            reader=later.reader or self.reader,
            dialects=later.dialects or self.dialects,
        )


def once(names: Iterable[str]) -> tuple[str, ...]:
    """Return names in their order, each once."""
    return tuple(dict.fromkeys(names))
