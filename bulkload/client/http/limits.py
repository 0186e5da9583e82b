"""Every bound of a connection to the API, with its unit and the reason for it.

How the feedback loops react is in ``bulkload/core/flow``, beside the decisions that they make;
what a user may set is in ``bulkload/client/delivery.py`` and ``bulkload/settings.py``.
"""

from __future__ import annotations

from typing import Final

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
