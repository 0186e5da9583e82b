"""Every bound of a transfer to and from storage, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Uploads in flight at most: a single link gains nothing beyond, and each costs a buffer.
DEFAULT_STREAMS: Final = 16
#: Longest time for one block of a body to leave, or to come, in seconds. Progress is bounded,
#: not the whole: a large file on a slow link is slow, not stuck.
PROGRESS_TIMEOUT_S: Final = 60.0
#: Longest time from the last byte of an upload to the first of its answer, in seconds: the
#: store copies the object meanwhile (the vendor's client waits as long).
ANSWER_TIMEOUT_S: Final = 300.0
#: Longest answer to an upload, or error, that is read, in bytes.
MAX_STORE_ANSWER_BYTES: Final = 64 * 1024
#: Bytes of a download written at a time.
WRITE_BYTES: Final = 1024 * 1024
#: Bytes read, hashed and sent at a time; also what must get through before the progress time-out.
BLOCK_BYTES: Final = 256 * 1024
#: Prepared files up to this size, in bytes, are read and sent as one: most measurements are, a
#: thread for each costs more than reading one, and aiohttp takes no larger body whole.
SMALL_BODY_BYTES: Final = 1024 * 1024
#: Bodies above this are known to break off at the storage's edge when sent as one, in bytes.
SINGLE_PUT_MAX_BYTES: Final = 1024**3
#: Bytes of a part of an S3 upload, and parts in flight (as the vendor's client has them): the
#: storage's edge answers 524 to a slow request. Bodies of one part's size and more go in parts.
PART_BYTES: Final = 16 * 1024**2
PARTS_IN_FLIGHT: Final = 2
#: Parts that S3 takes of one object; larger bodies have larger parts.
MAX_PARTS: Final = 10_000
#: Seconds to the next byte of the answer to a part: the store writes it meanwhile.
PART_TIMEOUT_S: Final = 300.0
#: Seconds that cleaning up after a failed S3 upload may take.
ABORT_TIMEOUT_S: Final = 10.0
