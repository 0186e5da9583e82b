"""What a plan means for Studio: what is there, what would be created, and what that takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bulkload.core.existing import FoundRecord
from bulkload.core.terms import MeasurementType

#: Bytes that one worker reads, checks and encodes in a second: text of cyclers on one core of a
#: busy machine (4 files of 10 MB, 400 000 rows each: 12 to 25 MB/s).
READ_BYTES_PER_S: Final = 15e6
#: Bytes sent for each byte of text read, as zstd-compressed Parquet: 0.07 (synthetic) to 0.3.
SENT_SHARE: Final = 0.25
#: Requests for each thing that is created, beside the listings.
REQUESTS_PER_SPECIFICATION: Final = 2
REQUESTS_PER_CELL: Final = 2
#: Initiate, put and confirm; a properties measurement is one request.
REQUESTS_PER_MEASUREMENT: Final = 3
#: Listings in which the processing of a cell's measurements is waited for.
POLLS_PER_CELL: Final = 2


class Standing(StrEnum):
    """How a planned measurement stands in Studio; what the column ``in_studio`` holds."""

    NEW = "new"
    #: Studio's record names the hash of this source.
    EQUAL = "equal"
    #: Studio has the name, and says nothing of the source.
    NAME_ONLY = "name only"
    #: Studio's record names another source, or is of another type.
    DIFFERING = "differing"
    FAILED = "failed"
    PROCESSING = "in processing"


def standing_of(found: FoundRecord, kind: MeasurementType, sha256: str | None) -> Standing:
    """Return how a measurement stands whose name Studio has.

    ``sha256`` is that of its source; None where it was not needed or could not be read.
    """
    if found.type is not kind:
        return Standing.DIFFERING
    if found.has_failed:
        return Standing.FAILED
    if found.is_processing:
        return Standing.PROCESSING
    if found.source is None or sha256 is None:
        return Standing.NAME_ONLY
    return Standing.EQUAL if found.source.sha256 == sha256 else Standing.DIFFERING


@dataclass(slots=True)
class SpecificationOutlook:
    """What a plan means for one specification."""

    is_new: bool = False
    cells: int = 0
    new_cells: int = 0
    measurements: Counter[Standing] = field(default_factory=Counter)


@dataclass(slots=True)
class Outlook:
    """What a plan means for Studio."""

    specifications: dict[str, SpecificationOutlook] = field(default_factory=dict)
    #: Of the sources of what is new.
    source_bytes: int = 0
    new_properties: int = 0
    #: Cells with something new.
    open_cells: int = 0
    #: Requests that looking took, and seconds that one took on average.
    requests: int = 0
    request_s: float = 0.0

    @property
    def measurements(self) -> Counter[Standing]:
        """All measurements by how they stand."""
        total: Counter[Standing] = Counter()
        for one in self.specifications.values():
            total += one.measurements
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an upload takes, and on what that stands."""

    requests: int
    read_bytes: int
    sent_bytes: int
    seconds: float
    basis: str


def estimate(outlook: Outlook, *, workers: int, connections: int) -> Estimate:
    """Estimate the upload of what is new, with the requests of its own look at Studio."""
    new = outlook.measurements[Standing.NEW]
    specs = outlook.specifications.values()
    requests = (
        outlook.requests
        + REQUESTS_PER_SPECIFICATION * sum(one.is_new for one in specs)
        + REQUESTS_PER_CELL * sum(one.new_cells for one in specs)
        + REQUESTS_PER_MEASUREMENT * (new - outlook.new_properties)
        + outlook.new_properties
        + POLLS_PER_CELL * outlook.open_cells
    )
    reading_s = outlook.source_bytes / (READ_BYTES_PER_S * workers)
    asking_s = requests * outlook.request_s / min(connections, max(1, new))
    return Estimate(
        requests=requests,
        read_bytes=outlook.source_bytes,
        sent_bytes=int(SENT_SHARE * outlook.source_bytes),
        seconds=max(reading_s, asking_s),
        basis=f"{READ_BYTES_PER_S / 1e6:g} MB/s with each of {workers} workers, a quarter of the "
        f"bytes sent, {1000 * outlook.request_s:.0f} ms a request as just measured, up to "
        f"{connections} at once",
    )
