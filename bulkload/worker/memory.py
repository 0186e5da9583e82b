"""Hold a worker to its memory: the system refuses what would pass it, before it is there.

The pool looks at a worker's memory now and then, and in between a reader can allocate far more
than it may. Where the system limits a process's data (Linux), an allocation that would pass the
limit fails, and the file is rejected with that reason. Elsewhere the pool's look remains.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.core.systems import system_of


def hold_to(memory_bytes: int | None) -> None:
    """Let this process allocate no more than this, what it maps of libraries included.

    Side effects: the process's soft limit of data.
    """
    if memory_bytes is None or not system_of(sys.platform).limits_data:
        return
    import resource

    # What is taken once, at the first use, comes before the limit: OpenBLAS ends the process where
    # it gets no buffer, and Arrow's parser needs its threads.
    np.ones((2, 2)) @ np.ones((2, 2))
    pa_csv.read_csv(pa.BufferReader(b"a\n1\n"))
    seen = _status()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # What is reserved and was never touched takes no memory; libraries take some beside.
    untouched = seen["VmData"] - seen["RssAnon"]
    soft = untouched + memory_bytes - seen["RssFile"]
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _status() -> dict[str, int]:
    """Return what the kernel says of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text("ascii", errors="replace").splitlines()
    fields = (line.split() for line in lines if line.startswith(("Vm", "Rss")))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields}
