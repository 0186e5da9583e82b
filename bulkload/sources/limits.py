"""Every bound of reading sources, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Seconds that opening, listing or reading one thing of a source may take while planning, before
#: it is named and passed over: a share that is alive answers within its own time-out of 30 s.
PATIENCE_S: Final = 60.0
#: Seconds between two looks at whether something is stuck.
PATIENCE_POLL_S: Final = 0.5
#: Things that may be stuck before the plan is given up: each holds a thread for ever.
MAX_STUCK: Final = 16
#: Files whose beginnings are read in one go: a change of threads a file would cost more.
PEEKED_AT_ONCE: Final = 256
#: Folders of a plan whose listings are kept, about 0.2 kB of memory each: archives have some
#: dozens of files a folder, and one of more folders is planned anew each time.
MAX_KEPT_FOLDERS: Final = 500_000
#: Folders that are listed in one go to see whether they changed, as with ``PEEKED_AT_ONCE``.
FOLDERS_AT_ONCE: Final = 64
#: Age in ns below which a change may be followed by another that the time of change does not
#: show: FAT counts in steps of 2 s, every other file system in smaller ones.
SETTLED_AFTER_NS: Final = 2 * 10**9
