"""What wrote a report: versions and machine, and what may be told of them to anybody."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from bulkload.core.version import VERSION

#: Libraries whose version may matter to what was read and sent.
_LIBRARIES: Final = (
    "pyarrow", "numpy", "pandas", "aiohttp", "anyio", "ionworksdata", "fastnda", "python-calamine",
    "sqlalchemy",
)  # fmt: skip


def environment_facts() -> list[tuple[str, str]]:
    """Return versions and machine by name. No names of hosts or users: a report is mailed."""
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    system = f"{platform.system()} {platform.release()}"
    return [
        ("bulkload", VERSION),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("machine", f"{system}, {platform.machine()}, {os.cpu_count()} processors"),
        ("libraries", ", ".join(found)),
    ]
