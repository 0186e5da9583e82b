"""All readers, and which of them a file asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.file_kinds import TEXT, markup_of
from bulkload.readers.formats import (
    arbin,
    arbin_res,
    bdf,
    biologic,
    gamry,
    generic,
    hdf5,
    impedance,
    lanhe,
    maccor,
    mpr,
    neware,
    neware_binary,
    neware_layered,
    novonix,
    others,
    potentiostats,
    voltaiq,
)
from bulkload.readers.ionworksdata_reader import NAMED, VENDOR
from bulkload.readers.native import NATIVE
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format

#: Readers of one manufacturer each.
VENDOR_FORMATS: Final[tuple[Format, ...]] = (
    NATIVE,
    arbin.FORMAT,
    arbin_res.ArbinDatabase(),
    biologic.FORMAT,
    biologic.TABLE_FORMAT,
    mpr.FORMAT,
    maccor.FORMAT,
    neware.FORMAT,
    neware_layered.NewareLayered(),
    neware_binary.FORMAT,
    hdf5.FORMAT,
    novonix.FORMAT,
    gamry.FORMAT,
    others.BASYTEC,
    others.DIGATRON,
    others.BITRODE,
    others.LANDT,
    lanhe.FORMAT,
    voltaiq.FORMAT,
    potentiostats.VERSASTUDIO,
    potentiostats.PARSTAT_FORMAT,
    potentiostats.SQUIDSTAT_FORMAT,
    impedance.ZPLOT,
    impedance.FORMAT,
    bdf.BDF,
    bdf.PYPROBE_FORMAT,
)

#: Asked in this order where no manufacturer's signature fits: the vendor's package knows some makes
#: that are not above; a header that states its units needs no make.
FALLBACKS: Final[tuple[Format, ...]] = (VENDOR, generic.FORMAT)

BY_NAME: Final[Mapping[str, Format]] = {f.name: f for f in (*VENDOR_FORMATS, *FALLBACKS, *NAMED)}

#: What the vendor calls readers that have another name, or several, here.
_OTHER_NAMES: Final = {"biologic mpt": "biologic", "csv": "labelled", "native": "ionworks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A reader and how its signature fits."""

    reader: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a file is by its content: the readers that fit, those that nearly do, the verdict."""

    file: str
    candidates: tuple[Candidate, ...]
    near: tuple[Candidate, ...]
    #: The reader, None where none or several fit.
    verdict: str | None
    #: One sentence: how sure, or what settles it.
    reason: str


def detect_probe(probe: Probe, own: Sequence[Format] = ()) -> Detection:
    """Hold every signature against a file. ``own`` are the user's dialects: they come first."""
    for rank, formats in enumerate((own, VENDOR_FORMATS, *((f,) for f in FALLBACKS))):
        found = [Candidate(reader=f.name, evidence=f.sniff(probe)) for f in formats]
        fitting = tuple(c for c in found if c.evidence.is_fit)
        decisive = [
            c for f, c in zip(formats, found, strict=True) if f.is_decisive and c.evidence.is_fit
        ]
        if decisive:
            # In the manufacturer's own words: what else fits, fits by chance.
            return _verdict(probe, (decisive[0],), ())
        if rank == 1 and not fitting:
            near = tuple(_nearly(probe, formats, found))
        if fitting:
            return _verdict(probe, fitting, near if rank > 1 else ())
    return Detection(
        file=probe.name,
        candidates=(),
        near=near,
        verdict=None,
        reason="no known format fits its content",
    )


def _nearly(
    probe: Probe, formats: Sequence[Format], found: Sequence[Candidate]
) -> Iterator[Candidate]:
    """Yield the formats of whose signature a part is there."""
    for reader, candidate in zip(formats, found, strict=True):
        evidence = candidate.evidence if candidate.evidence.fits else reader.resembles(probe)
        if evidence.fits:
            yield Candidate(reader=reader.name, evidence=evidence)


def _verdict(
    probe: Probe, fitting: tuple[Candidate, ...], near: tuple[Candidate, ...]
) -> Detection:
    only = fitting[0] if len(fitting) == 1 else None
    names = ", ".join(candidate.reader for candidate in fitting)
    reason = (
        "its signature fits and no other does"
        if only is not None
        else f"the signatures of {names} fit: name one with --reader, or `reader` in the manifest"
    )
    return Detection(
        file=probe.name,
        candidates=fitting,
        near=near,
        verdict=only.reader if only else None,
        reason=reason,
    )


def named(name: str, own: Sequence[Format] = ()) -> Format:
    """Return the reader of this name."""
    folded = name.strip().lower()
    folded = _OTHER_NAMES.get(folded, folded)
    for reader in own:
        if reader.name.lower() == folded:
            return reader
    if folded in BY_NAME:
        return BY_NAME[folded]
    raise UnreadableError(
        f"no reader is called {printable(name)!r}; there are "
        + ", ".join(sorted((*BY_NAME, *(f.name for f in own)))),
        cause="unknown_reader",
    )


def chosen(probe: Probe, name: str | None, own: Sequence[Format] = ()) -> Format:
    """Return the reader that is named, or the one that the content asks for."""
    if name is not None:
        return named(name, own)
    if not own:
        for reader in VENDOR_FORMATS:
            if reader.is_decisive and reader.sniff(probe).is_fit:
                return reader
    detection = detect_probe(probe, own)
    if detection.verdict is not None:
        return named(detection.verdict, own)
    if detection.candidates:
        raise UnreadableError(f"{probe.name}: {detection.reason}", cause="ambiguous_format")
    resembling = "; ".join(
        f"{c.reader} would need {', '.join(c.evidence.lacks)}" for c in detection.near[:3]
    )
    what = markup_of(probe.text.data) if probe.kind == TEXT else None
    if what is not None:
        raise UnreadableError(
            f"{probe.name}: {what}, not a table of a test; export the test as text or as a "
            "workbook and upload that",
            cause="not_a_table",
        )
    raise UnreadableError(
        f"{probe.name}: no known cycler format fits its content"
        + (f" ({resembling})" if resembling else "")
        + "; name the reader with --reader, or describe the columns in a dialect file",
        cause="unknown_format",
    )
