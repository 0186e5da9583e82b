"""Every bound of the workers, with its unit and the reason for it.

What one file may cost in time and memory is in ``bulkload/settings.py``.
"""

from __future__ import annotations

from typing import Final

#: Seconds between two looks at a busy worker's memory: it can pass its limit by what it
#: allocates in this time, before the operating system steps in.
MEMORY_POLL_S: Final = 0.25

#: Tables of up to this many bytes in memory are encoded there, hashed, and written once. Larger
#: ones are written as they are encoded: a worker's memory holds no second copy of them.
ENCODED_IN_MEMORY_BYTES: Final = 64 * 2**20
#: Largest answer of a worker, in bytes. Records are small; a larger one is not ours.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

#: Characters kept of the end of a dead worker's standard error, and of an unexpected error.
STDERR_TAIL_CHARACTERS: Final = 300
ERROR_TEXT_CHARACTERS: Final = 300

#: Largest source in bytes that is hashed although it could not be read: at the speed of a disk
#: it costs seconds. A larger one is known by its size and time alone.
MAX_HASHED_REJECTION_BYTES: Final = 2**30

#: Remedies tried on one file: all pairs of six cures and the six alone, with a few of three. Each
#: costs about as much as validating the file once.
REMEDY_TRIES: Final = 24
#: Seconds that reading and validating a file may have taken for remedies to be tried, and that the
#: tries may take: the file must keep far from its time limit.
REMEDY_TIME_S: Final = 20.0
#: Rows of a table on which remedies are tried: a copy of it must fit into a worker's memory.
REMEDY_ROWS: Final = 1_000_000

#: Findings kept of one file: a file with more is described by its first ones.
MAX_ISSUES: Final = 100

#: Findings that a file's message tells in full: the account and `bulkload show` have them all.
MAX_SHOWN_ISSUES: Final = 5

#: Memory of a worker that has only loaded its libraries, in bytes: 90 MiB measured, and what
#: validation and encoding need beside the table.
LIBRARIES_BYTES: Final = 160 * 2**20
#: Size of a file that fits into any worker, in bytes: nothing about it is estimated. A Parquet
#: file that repeats its values is larger in memory than on disk, and is estimated from here on.
SMALL_BYTES: Final = 8 * 2**20
SMALLEST_BYTES: Final = 64 * 2**10
#: Memory that a text needs when it is read in one piece, in bytes for each of its values, beside
#: its own bytes: 10 measured of full columns, 30 of columns with gaps, of which the rules get a
#: copy.
BYTES_A_VALUE: Final = 24.0
#: The same of a Parquet file: 19 measured of full columns.
PARQUET_BYTES_A_VALUE: Final = 32.0
#: The same of a database's measurement, in bytes a row: 220 to 400 measured with ten columns.
DATABASE_ROW_BYTES: Final = 400
#: Memory that any other format needs at the very least, as a multiple of its bytes: they and a
#: table of them.
LEAST_FACTOR: Final = 2.0
#: Memory that judging needs for each step of a table that is read in chunks, in bytes: the step
#: summary and the sums of the rules, which are kept of all steps.
STEP_BYTES: Final = 2_048

#: Seconds between two signs that a large measurement is being read: well below the time limit,
#: which counts from the last one.
BEAT_S: Final = 5.0
