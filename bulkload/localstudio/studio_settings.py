"""Settings of the local Studio: its address and delays, and every choice the contract leaves open.

Every field below ``# What the contract leaves open`` answers a question that the published
contract does not. **A default there is a choice, not evidence**: turn the switch to see how a
client handles the other answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from bulkload.core.terms import MAX_NAME_LENGTH
from bulkload.errors import SettingsError

MEBIBYTE: Final = 1024 * 1024

# Bounds of the published contract (the vendor's client and API reference state them) ---------

#: Ids in one bulk request for tags.
MAX_BULK_IDS: Final = 1000
#: Page of the list of tags, and the largest one.
TAG_PAGE_DEFAULT: Final = 50
TAG_PAGE_MAX: Final = 1000
#: Page of a project's list of measurements, and the largest one.
PROJECT_PAGE_DEFAULT: Final = 25
PROJECT_PAGE_MAX: Final = 1000
#: Largest page of the list of protocols.
PROTOCOL_PAGE_MAX: Final = 100
#: Characters of a search at least (422 below), and its results: by default, at most, and of
#: each type.
SEARCH_MIN_QUERY_LENGTH: Final = 2
SEARCH_DEFAULT: Final = 25
SEARCH_MAX: Final = 100
SEARCH_PER_TYPE_DEFAULT: Final = 5
SEARCH_PER_TYPE_MAX: Final = 20

# Bounds of this server ------------------------------------------------------------------------

#: Requests that are remembered, the newest last: enough for one upload of a test, a few MiB.
RECENT_REQUESTS: Final = 10_000
#: Threads that process measurements: a bench on two cores must leave the other to the client.
PROCESSING_THREADS: Final = 1
#: Pieces in which a slow answer is sent: enough for a client to see progress.
SLOW_BODY_PIECES: Final = 10
#: Seconds that open requests get when the server shuts down; longer ones are cut off.
SHUTDOWN_GRACE_S: Final = 1.0

DuplicateAt = Literal["initiate", "confirm"]
ConflictForm = Literal["standard", "without_existing_id", "legacy_keys", "nested", "plain"]
ErrorForm = Literal["standard", "nested", "plain"]

#: Codes that a redirect to storage may use.
REDIRECT_CODES: Final = (301, 302, 303, 307, 308)

#: Where a running Studio says how it is reached, in its data folder.
ADDRESS_FILE: Final = "studio.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Target:
    """The S3 endpoint that initiate answers offer for multipart uploads."""

    endpoint: str
    bucket: str
    region: str = "us-east-1"
    access_key_id: str = field(default="local", repr=False)
    secret_access_key: str = field(default="local-secret", repr=False)
    session_token: str = field(default="local-session", repr=False)
    #: What ``expires_at`` says, in seconds from now; None leaves it out, below zero is past.
    expires_in_s: float | None = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioSettings:
    """How a local Studio behaves. Frozen: trouble that comes and goes is a `FaultRule`."""

    #: Folder of the database, the stored objects and the keys. One Studio at a time.
    data_dir: Path
    #: Address to listen on. Loopback: the keys travel in clear.
    host: str = "127.0.0.1"
    #: Port of the API, 0 for a free one.
    port: int = 0
    #: Port of the storage, 0 for a free one.
    storage_port: int = 0
    #: Delay of each API answer, in seconds.
    latency_s: float = 0.0
    #: Least time from confirm to the end of processing, in seconds.
    processing_s: float = 0.0
    #: How many measurements are processed at a time; the others wait as ``pending``.
    processing_slots: int = 256
    #: Derive steps and cycles while processing, or at the first request for them. The second
    #: keeps a bench about the client; the first lets processing fail on what cannot be derived.
    derive_steps: Literal["processing", "first_read"] = "processing"
    #: API requests a second, refused with 429 above; None for no limit. Bursts: one second's worth.
    requests_per_s: float | None = None
    #: ``Retry-After`` of that 429, in whole seconds; None leaves the header out.
    rate_limit_retry_after_s: int | None = 1
    #: Offer S3 multipart beside the signed URL, None for not at all.
    s3: S3Target | None = None

    # What the contract leaves open ---------------------------------------------------------

    #: Where a measurement's duplicate name is found. Confirm looks in any case.
    duplicate_at: DuplicateAt = "initiate"
    #: Body of the 409 for a duplicate name.
    conflict_form: ConflictForm = "standard"
    #: Body of every other refusal.
    error_form: ErrorForm = "standard"
    #: Success code of a create (a properties measurement is documented as 201).
    created_status: int = 201
    #: Code of a redirect to storage.
    redirect_status: int = 307
    #: Life of a signed URL in seconds.
    url_lifetime_s: float = 3600.0
    #: Life of an initiated, unconfirmed upload in seconds.
    upload_lifetime_s: float = 86_400.0
    #: Confirm whose object never arrived: refuse, or make a record that fails processing.
    missing_object: Literal["refuse", "fail_processing"] = "refuse"
    #: Confirm of a measurement that is confirmed already.
    second_confirm: Literal["conflict", "same_record"] = "conflict"
    #: Confirm with another name than initiate was given.
    changed_name_at_confirm: Literal["accept", "refuse"] = "accept"
    #: A second PUT to the same signed URL.
    second_put: Literal["replace", "refuse"] = "replace"
    #: What an answer to a PUT says of the stored object.
    put_answer: Literal["nothing", "etag", "etag_and_length"] = "etag"
    #: Which storage requests an Ionworks header spoils. The official client sends its key along
    #: when it follows a download's redirect, so ``always`` shuts it out from downloads.
    storage_guard: Literal["uploads", "always"] = "uploads"
    #: The ``batch`` key that instances had before batches.
    legacy_batch: Literal["refuse", "drop"] = "refuse"
    #: A specification without ``ratings``.
    ratings_required: bool = False
    #: Code for a specification without any project.
    no_project_status: int = 422
    #: Whether names of specifications, instances and measurements differ by case alone.
    names_case_sensitive: bool = True
    #: Longest name of anything but a measurement, in characters; None for no limit.
    name_max_length: int | None = MAX_NAME_LENGTH
    #: List page size where none is asked for (the project's measurement list has its own: 25).
    page_default: int = 100
    #: Largest list page (the project's measurement list has its own: 1000).
    page_max: int = 1000
    #: A ``limit`` out of range.
    page_over_limit: Literal["refuse", "clamp"] = "refuse"
    #: Whether ``GET /projects`` answers the envelope or a bare array.
    project_list: Literal["envelope", "array"] = "envelope"
    #: Largest request body of the API, in bytes, after decompression; 413 above.
    max_body_bytes: int = 64 * MEBIBYTE
    #: ``NaN`` and ``Infinity`` in a JSON body.
    nan: Literal["refuse", "accept"] = "refuse"
    #: A second initiate-extend while the first is not confirmed: refuse with 409, or replace it.
    open_extend: Literal["conflict", "replace"] = "conflict"
    #: A time series whose steps cannot be derived (no voltage, for instance): processing fails,
    #: or the measurement is ready and has none.
    underivable_steps: Literal["fail", "none"] = "none"
    #: Reading a measurement without ``include_steps=false`` while it is processed.
    plain_get_while_processing: Literal["answer", "refuse"] = "answer"
    #: Code of a read of steps while processing runs.
    steps_while_processing_status: int = 409
    #: Code where ``end_time`` precedes ``start_time``.
    bad_end_time_status: int = 400
    #: Whether ``start_time`` can be patched, or such a patch is refused.
    start_time_can_be_patched: bool = True
    #: Whether a run without ``end_time`` holds its channel for ever, or only its first instant.
    open_run_holds_channel: bool = True
    #: One unknown id in a bulk tag request: change nothing, or change the known ones first.
    bulk_tags: Literal["all_or_nothing", "known_first"] = "all_or_nothing"
    #: Whether raw files of one project have unique names.
    raw_names_unique: bool = False
    #: Two equal names in one file measurement.
    equal_filenames: Literal["refuse", "accept"] = "refuse"

    def __post_init__(self) -> None:
        for name in ("latency_s", "processing_s", "upload_lifetime_s"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} is {getattr(self, name)}: it cannot be negative")
        for name in ("processing_slots", "page_default", "page_max", "max_body_bytes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.redirect_status not in REDIRECT_CODES:
            raise SettingsError(f"redirect_status is {self.redirect_status}: use {REDIRECT_CODES}")
        if self.requests_per_s is not None and self.requests_per_s <= 0:
            raise SettingsError(f"requests_per_s is {self.requests_per_s}: it must be positive")
