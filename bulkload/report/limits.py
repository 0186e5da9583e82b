"""Every bound of the report and the page, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

# -- The report ----------------------------------------------------------------------------------

#: Cells in the report itself: some 1.5 kB and 45 nodes each, and a browser lays out all rows of a
#: table at once. Further cells are in pages beside it, as many in each.
CELLS_INLINE: Final = 400
#: Measurements up to which the report lists each of them below its cell, some 250 bytes each.
MEASUREMENTS_INLINE: Final = 4000
#: Entries of each cause that the report lists; further ones are in pages beside it.
FILES_INLINE: Final = 100
#: Entries on each page beside the report, some 400 bytes each.
FILES_PER_PAGE: Final = 5000
#: Rejected files whose plot is in the report, about 20 kB and 30 ms each.
PLOTS_INLINE: Final = 24
#: Plots on each page beside it: some 3 MB.
PLOTS_PER_PAGE: Final = 150
#: Rejected files that are plotted when an upload ends: it does not keep anybody waiting for more
#: than some 10 s.
PLOTS_AT_END: Final = 300
#: Pages beside the report for one list; the account has what is beyond.
PAGES_MAX: Final = 40
#: Rejected files that `bulkload report` plots, as many as it has pages for: three minutes of
#: drawing, 120 MB beside the report.
PLOTS_MAX: Final = PLOTS_INLINE + PLOTS_PER_PAGE * PAGES_MAX

#: Parts into which a stretch of work is cut: a bar of 8 pixels each on a wide screen.
COURSE_BINS: Final = 72
#: Stretches of work that the report draws, the newest.
STRETCHES: Final = 3
#: Bytes of the logs that are searched for retries and pauses, the newest: about 3 s of reading.
LOG_BYTES: Final = 256 * 2**20

#: Characters of an untrusted text that are shown before it is folded.
SHOWN_CHARACTERS: Final = 300
#: Names of columns or header fields shown of each decision; the account has them by file.
NAMES_SHOWN: Final = 12
#: Examples shown of each warning and finding.
EXAMPLES_SHOWN: Final = 5

# -- The live page -------------------------------------------------------------------------------

#: Viewers at once: each costs a stream; a lab's screen and some laptops are far fewer.
PAGE_CLIENTS: Final = 16
#: Seconds between two looks at a job that is watched; without a viewer there are none.
LOOK_EVERY_S: Final = 1.0
#: Share of the time that the page reads the journal: a look that takes 0.2 s is made each 5 s.
LOOK_SHARE: Final = 0.04
#: Seconds for which a stream may not take what is sent before it is closed.
SEND_LIMIT_S: Final = 30.0
#: Seconds between two signs of life on a stream: proxies and tunnels close one that is silent.
BEAT_S: Final = 15.0
#: Cells that have a tile: a browser still scrolls and filters that many at once.
PAGE_CELLS: Final = 5000
#: Measurements listed of one cell.
PAGE_MEASUREMENTS: Final = 1000
#: Events shown, the newest.
PAGE_EVENTS: Final = 40
#: Width of the parts in which the page counts events, in seconds: an hour is 1800 of them.
COUNT_WIDTH_S: Final = 2.0
#: Seconds that reading a source again for a plot may take.
PLOT_TIME_S: Final = 120.0
#: Largest source that is read again for a plot, in bytes: the run needs the disk and the cores.
PLOT_SOURCE_BYTES: Final = 256 * 2**20
#: Plots kept in memory, some 60 kB each.
PLOTS_KEPT: Final = 32
#: Seconds that `upload --page` waits for its page to come up; without it the run begins.
PAGE_START_S: Final = 30.0
#: Seconds for which the page beside a run outlives it: viewers see how it ended.
FAREWELL_S: Final = 5.0
