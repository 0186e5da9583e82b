"""Every bound of the engine, with its unit and the reason for it.

What a user may set is in ``bulkload/settings.py``.
"""

from __future__ import annotations

from typing import Final

# -- Planning ------------------------------------------------------------------------------------

#: Entries a transaction: a commit costs a flush, and the pages of a transaction are in memory.
PLAN_BATCH: Final = 1000
#: Problems, and warnings, that are kept to be shown: a plan with more has one cause, not thousands.
MAX_PROBLEMS: Final = 1000
#: Specifications kept decoded: a plan has few of them, and each is used for every job.
REMEMBERED_SPECIFICATIONS: Final = 256

# -- Uploading -----------------------------------------------------------------------------------

#: Specifications, batches and cells whose ids are remembered, each: the measurements of a cell
#: follow one another, so the cells under way fit many times over (about 0.3 kB each).
REMEMBERED_PARENTS: Final = 4096
#: Original files whose place in Studio is remembered in memory; the journal knows all of them.
REMEMBERED_FILES: Final = 1024

# -- Waiting for processing ----------------------------------------------------------------------

#: Seconds before a cell is asked for the first time, and the longest between two requests: a
#: small file is processed in about a second, a long one is not worth a request a second.
FIRST_POLL_S: Final = 0.5
LONGEST_POLL_S: Final = 15.0
#: How the wait grows from one request to the next.
POLL_GROWTH: Final = 1.5
#: Seconds for which a confirmed record may stay invisible to reads before it counts as deleted.
VISIBLE_AFTER_S: Final = 60.0
#: Seconds between two looks of a rollback for a record that may be invisible as yet.
LOOK_AGAIN_S: Final = 1.0
#: Seconds for which a measurement may be processed before it is left to the next run.
PROCESSING_LIMIT_S: Final = 3600.0

# -- Verifying and stopping ----------------------------------------------------------------------

#: Measurements read back at once: a download each, and one table of memory each.
READERS: Final = 4
#: Seconds between two looks at the deadline: what a delivery takes changes as the run goes on.
DEADLINE_POLL_S: Final = 0.5

#: Seconds from the second signal to the end of the process, whatever it still waits for: a
#: person who asks twice waits no longer than a second.
LAST_GRACE_S: Final = 0.8

#: Measurements named of those that left the plan: the account lists all of them.
GONE_NAMED: Final = 3

#: Size of the log, in bytes, beyond which it goes on in a new file: a measurement takes some
#: 2.6 kB, so that a job of 25 000 measurements has one file, which every editor still opens.
LOG_LIMIT_BYTES: Final = 64 * 2**20

# -- Showing the run -----------------------------------------------------------------------------

#: Seconds between two states in ``live.json``: what people look at.
WRITE_EVERY_S: Final = 1.0
#: Seconds for which the end of a run waits for its last state to be on disk.
LAST_WRITE_LIMIT_S: Final = 5.0
#: Seconds for which the end of a run waits until its last spans are sent.
SPANS_LIMIT_S: Final = 5.0
#: Seconds between two samples of what a run has done, and how many are kept: the pace that an
#: estimate of the end stands on is that of the last minutes.
SAMPLE_EVERY_S: Final = 1.0
SAMPLES: Final = 300
#: Seconds of work, and entries ended in them, before an estimate of the end means anything.
ETA_AFTER_S: Final = 10.0
ETA_AFTER_ENTRIES: Final = 5
#: How often a state is asked for again that another thread changed while it was copied: once is
#: rare, and twice in a row was never seen.
SNAPSHOT_TRIES: Final = 8
#: Characters of the first message of each cause that a state holds: a few lines of a terminal.
EXAMPLE_CHARACTERS: Final = 400
#: Seconds for which a retry that had to wait for the budget is shown as what limits the run.
BUDGET_SHOWN_S: Final = 10.0

#: Findings of a rejected source that the journal keeps: of a file with more, the first ones say
#: what is wrong with it.
MAX_KEPT_FINDINGS: Final = 20
