"""Every bound of a call of the API, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

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
