"""What is known of a file before it is read, and what is proposed for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from bulkload.core.path_layout import split_suffix
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.marks import Mark, marks


class Sureness(IntEnum):
    """How sure a proposal is; a row is as sure as its least sure guess."""

    #: Evidence leaves it open: the cell of the plan is empty, a person fills it.
    OPEN = 0
    #: The best reading, with a warning that says what speaks against it.
    LIKELY = 1
    SURE = 2


SURENESS_WORDS: Final = {Sureness.OPEN: "open", Sureness.LIKELY: "likely", Sureness.SURE: "sure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What the beginning of a file shows."""

    #: Below the source, with ``/``; of a member of an archive ``a.zip!/b.csv``.
    path: str
    size_bytes: int
    #: Seconds since 1970.
    modified_s: float
    kind: ContentKind
    #: Reader whose signature fits, and its manufacturer; empty for none.
    reader: str = ""
    vendor: str = ""
    #: What is wrong with it, or why it is no data, as a sentence.
    remark: str = ""
    #: Days (ISO) that stand in its beginning and can be read in one way only.
    days_inside: tuple[str, ...] = ()
    #: First and last record number, where its rows are numbered.
    records: tuple[int, int] | None = None
    #: Same for files of the same content; empty where no other file has its size.
    digest: str = ""


@dataclass(slots=True, kw_only=True)
class StatedTest:
    """What a sheet states of one test."""

    row: int
    #: ``path``, ``spec``, ``cell``, ``batch`` and ``measurement`` where the sheet has them.
    names: dict[str, str] = field(default_factory=dict)
    #: As the metadata beside a measurement has it: protocol, test_setup, start_time, notes, ...
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Proposal:
    """A row of the proposed plan: guesses, their evidence, and what a person must settle."""

    facts: FileFacts
    #: None: a person has to say whether it is uploaded.
    upload: bool | None = True
    #: Why it is not uploaded: a word to branch on.
    rule: str = ""
    spec: str = ""
    cell: str = ""
    batch: str = ""
    measurement: str = ""
    start_time: str = ""
    temperature_degc: float | None = None
    rate: str = ""
    channel: str = ""
    part: int | None = None
    layout: str = ""
    copy_of: str = ""
    other_form_of: str = ""
    continues: str = ""
    sureness: Sureness = Sureness.SURE
    evidence: list[str] = field(default_factory=list)
    #: What speaks against a guess, or what a person must fill in.
    warnings: list[str] = field(default_factory=list)

    def doubt(self, sureness: Sureness, warning: str) -> None:
        """Add a warning and lower the sureness."""
        self.sureness = min(self.sureness, sureness)
        self.warnings.append(warning)

    def leave_out(self, rule: str, evidence: str) -> None:
        """Propose not to upload the file, and record why."""
        self.upload, self.rule = False, rule
        self.evidence.append(evidence)


@dataclass(slots=True, kw_only=True)
class Draft:
    """A data file whose name is being understood."""

    proposal: Proposal
    #: Folders, then the file's name without its ending.
    parts: tuple[str, ...]
    suffix: str
    marks: tuple[tuple[Mark, ...], ...]
    #: Stretches that are no part of the measurement's name: (component, start, end, field).
    spans: list[tuple[int, int, int, str]] = field(default_factory=list)

    @classmethod
    def of(cls, proposal: Proposal) -> Draft:
        """Take a path apart."""
        *folders, name = proposal.facts.path.replace("!/", "/").split("/")
        stem, suffix = split_suffix(name)
        if not suffix and "." in name[1:] and name.rpartition(".")[2].isdigit():
            stem, suffix = name.rpartition(".")[0], "." + name.rpartition(".")[2]
        parts = (*folders, stem)
        return cls(
            proposal=proposal,
            parts=parts,
            suffix=suffix.lower(),
            marks=tuple(marks(part) for part in parts),
        )

    def drop_marks_of_cell(self) -> None:
        """Leave out marks within the cell's name: LG-25C-03 states no temperature."""
        cells = [(part, start, end) for part, start, end, field in self.spans if field == "cell"]
        self.marks = tuple(
            tuple(
                mark
                for mark in found
                if all(
                    part != index or mark.end <= start or mark.start >= end
                    for part, start, end in cells
                )
            )
            for index, found in enumerate(self.marks)
        )

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return self.parts[-1]

    @property
    def folder(self) -> tuple[str, ...]:
        """The folders below the source."""
        return self.parts[:-1]
