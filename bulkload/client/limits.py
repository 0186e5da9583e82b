"""Every bound of the client, with its unit and the reason for it.

How the feedback loops react is in ``bulkload/core/flow``, beside the decisions that they make;
what a user may set is in ``bulkload/client/delivery.py`` and ``bulkload/settings.py``.
"""

from __future__ import annotations

from typing import Final

# -- Connections to the API ----------------------------------------------------------------------

#: Open connections to the API host: above this the server's limits, not ours, set the pace.
DEFAULT_CONNECTIONS: Final = 64
#: Seconds that a service that does not answer is waited for. A person at a keyboard waits a
#: minute; a run at night is given an hour (``bulkload.settings``).
DEFAULT_OUTAGE_LIMIT_S: Final = 60.0
#: Seconds that an endpoint is left alone after a 429 that does not say how long.
UNSTATED_PAUSE_S: Final = 1.0
#: Seconds after which an idle connection is closed: before the server closes it (5 s is a common
#: default), so that no request meets a closing connection.
KEEP_ALIVE_S: Final = 4.0
#: Seconds after which a host name is looked up again.
DNS_CACHE_S: Final = 300
#: Seconds to connect, TLS included: the vendor's client waits as long.
CONNECT_TIMEOUT_S: Final = 10.0
#: Seconds for the next byte of an answer: long enough for a listing under load.
READ_TIMEOUT_S: Final = 60.0
#: Seconds for a whole exchange with the API, so that an answer byte by byte ends.
TOTAL_TIMEOUT_S: Final = 300.0
#: Bytes handed to the socket at a time.
CHUNK_BYTES: Final = 256 * 1024
#: Longest answer of the API that is read, in bytes: a table of cycles is megabytes, a stray
#: download is not JSON.
MAX_ANSWER_BYTES: Final = 512 * 1024 * 1024
#: Findings of a 422 that a message lists.
MAX_FINDINGS: Final = 5
#: JSON bodies of this many bytes and more are sent compressed, as the vendor's client does.
GZIP_FROM_BYTES: Final = 524_288

# -- Transfers to and from storage ---------------------------------------------------------------

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

# -- Calls of the API ----------------------------------------------------------------------------

#: Records asked for at once. Caps of some list routes are not published; 100 is safe on all.
PAGE_SIZE: Final = 100
#: Most measurements that one request may tag (the vendor's client has the same limit).
MAX_TAGGED: Final = 1000
#: Files of one measurement sent, and fetched, at once: as many as the vendor's client.
MAX_FILES_IN_FLIGHT: Final = 4
MAX_DOWNLOADS_IN_FLIGHT: Final = 4
#: How often signed URLs are asked for in one upload. They are used as soon as they are given:
#: age is not the reason where so many in a row have expired.
MAX_INITIATES: Final = 5
#: How often an extension is begun, after a 409 or an expired URL, and the seconds before the
#: second beginning: another extension is in flight.
MAX_EXTENSIONS: Final = 6
FIRST_CONFLICT_WAIT_S: Final = 0.5
#: How often a record that Studio itself has named is asked for, and the seconds before the second
#: time, doubled each time: 6.3 s in all for what was just made to become readable everywhere.
READABLE_ATTEMPTS: Final = 7
READABLE_FIRST_WAIT_S: Final = 0.1
#: Seconds that a wait for processing lasts at most (the vendor's client waits as long).
PROCESSING_TIMEOUT_S: Final = 600.0
#: Seconds before the second look at a measurement in processing, a small file is done by then;
#: and between looks in the long run, as the vendor's client has it.
FIRST_POLL_S: Final = 0.1
LAST_POLL_S: Final = 2.0
#: Requests of one look at many measurements that are in flight at once.
MAX_LOOKS_IN_FLIGHT: Final = 8
