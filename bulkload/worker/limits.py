"""Every bound of the workers, with its unit and the reason for it.

What one file may cost in time and memory is in ``bulkload/settings.py``.
"""

from __future__ import annotations

from typing import Final

#: Seconds between two looks at a busy worker's memory: it can pass its limit by what it
#: allocates in this time, before the operating system steps in.
MEMORY_POLL_S: Final = 0.25

#: Largest answer of a worker, in bytes. Records are small; a larger one is not ours.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

#: Characters kept of the end of a dead worker's standard error, and of an unexpected error.
STDERR_TAIL_CHARACTERS: Final = 300
ERROR_TEXT_CHARACTERS: Final = 300

#: Largest source in bytes that is hashed although it could not be read: at the speed of a disk
#: it costs seconds. A larger one is known by its size and time alone.
MAX_HASHED_REJECTION_BYTES: Final = 2**30

#: Findings kept of one file: a file with more is described by its first ones.
MAX_ISSUES: Final = 100
