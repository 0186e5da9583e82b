"""Databases that are known by their tables: their profile is proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

#: Profile -> tables that only its databases have.
_PROFILES: Final[Mapping[str, frozenset[str]]] = {
    "battery-archive": frozenset({"cell_metadata", "cycle_timeseries"}),
    "arbin-mits8": frozenset({"testlist_table", "iv_basic_table"}),
    "galv": frozenset({"experiment.dataset", "experiment.timeseries_data"}),
}
_NEWARE_COLUMNS: Final = frozenset({"main_first_table", "main_second_table"})


@dataclass(slots=True, kw_only=True)
class ProfileProposal:
    """A TOML text, and what it rests on."""

    toml: str
    evidence: list[str] = field(default_factory=list)
    #: What a person has to decide before the file is accepted.
    open_questions: list[str] = field(default_factory=list)


def by_profile(masked: str, tables: Mapping[str, Sequence[str]]) -> ProfileProposal | None:
    """Return the proposal of the profile whose tables these are, None for none."""
    folded = {name.lower() for name in tables}
    for profile, needed in _PROFILES.items():
        if needed <= folded:
            return _proposed(masked, profile, sorted(needed))
    for name, columns in tables.items():
        if {column.lower() for column in columns} >= _NEWARE_COLUMNS:
            return _proposed(masked, "neware-bts", [f"{name}.main_first_table"])
    return None


def _proposed(masked: str, profile: str, tables: Sequence[str]) -> ProfileProposal:
    lines = ["[source.sql]", f'url = "{masked}"', f'profile = "{profile}"']
    questions = []
    if profile != "battery-archive":
        lines += ["", "[source.sql.cells]", "# specification = ?   # no table says of which kind"]
        questions.append("cells.specification: what the cells are")
    return ProfileProposal(
        toml="\n".join(lines) + "\n",
        evidence=[f"the tables {', '.join(tables)} are those of {profile}"],
        open_questions=questions,
    )
