"""Every bound of the report and the page, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

# -- The report ----------------------------------------------------------------------------------

#: Cells in the report itself: some 1.5 kB each, and a browser lays out 600 rows at once. Further
#: cells are in pages beside it, as many in each.
CELLS_INLINE: Final = 600
#: Measurements up to which the report lists each of them below its cell, some 250 bytes each.
MEASUREMENTS_INLINE: Final = 4000
#: Entries of each cause that the report lists; further ones are in pages beside it.
FILES_INLINE: Final = 100
#: Entries on each page beside the report, some 400 bytes each.
FILES_PER_PAGE: Final = 5000
#: Rejected files whose plot is in the report, about 17 kB and 30 ms each.
PLOTS_INLINE: Final = 48
#: Plots on each page beside it.
PLOTS_PER_PAGE: Final = 100
#: Rejected files that are plotted when an upload ends: it does not keep anybody waiting for more
#: than some 10 s.
PLOTS_AT_END: Final = 300
#: Rejected files that `bulkload report` plots: three minutes of drawing, 100 MB beside the report.
PLOTS_MAX: Final = 6000
#: Pages beside the report for one list; the account has what is beyond.
PAGES_MAX: Final = 40

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
