"""Every bound of the journal, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Seconds between two hand-overs to the writer, at least: a commit costs more CPU than the events
#: in it, and a measurement waits for four of them, which is nothing beside its requests.
GATHER_S: Final = 0.005
#: Writes that share one commit, in writes: bounds the time that the first of them waits. More
#: do not arrive in the time of a flush, with a few hundred connections at work.
MAX_GROUP: Final = 256

#: How long a connection waits for the transaction of another one, in seconds: a commit takes
#: milliseconds, and a disk that takes longer than this is broken.
BUSY_TIMEOUT_S: Final = 30.0

#: Newly rejected and failed entries that a run's news name: what a person reads in a mail.
NEWS_NAMED: Final = 10

#: Parts of a job, at most: each is a folder and costs some milliseconds wherever the whole job is
#: read. Ten million measurements in as many parts are 2,500 a part.
MAX_PARTS: Final = 4096

#: Journals that are kept open while a whole job is read: each takes up to three open files, of
#: the 256 that a process may have on some systems.
KEPT_OPEN: Final = 32
