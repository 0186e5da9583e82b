"""What a worker asks of Arrow: one thread, and no pandas.

With its first array Arrow loads pandas, to know frames of it when it sees them. No reader hands
it one, and pandas takes a worker as long to load as everything else together.
"""

from __future__ import annotations

import sys

import pyarrow as pa


def use_one_thread() -> None:
    """Keep this process to one computing thread: there is a process for each core already."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def leave_pandas_out() -> None:
    """Let Arrow look for pandas, which it does once, where there is none to be found.

    Whoever imports it later gets it, Arrow's ``to_pandas`` too.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Say of pandas that it is not installed, of others nothing."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
