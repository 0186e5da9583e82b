"""One measurement of a database, as a small file that stands for it in a plan.

It holds the query, the key and the sums that the database gave for it. Its bytes change when
the measurement does, and only then: so a rerun knows by the file what is new, changed or grown,
as it does for any file of data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkload.databases.sums import Sums
from bulkload.errors import UnreadableError

SUFFIX: Final = ".sqlm"
#: Beside a measurement's file: the digest that it had when it was read last.
READ_SUFFIX: Final = ".read"
#: What the manifest calls the reader of these files.
READER: Final = "database"
#: Length of the digest in a file's name, in hexadecimal digits.
NAME_DIGITS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementFile:
    """What stands for a measurement."""

    #: The TOML file, and the digest of the configuration it held.
    configuration: str
    configuration_sha256: str
    key: Mapping[str, str]
    sql: str
    sums: Sums
    #: What the database itself makes impossible to read, empty where nothing is.
    fault: str = ""
    fault_cause: str = ""

    def text(self) -> str:
        """Return the file's text."""
        return json.dumps(
            {
                "configuration": self.configuration,
                "configuration_sha256": self.configuration_sha256,
                "key": dict(self.key),
                "sql": self.sql,
                "sums": self.sums.as_json(),
                "fault": self.fault,
                "fault_cause": self.fault_cause,
            },
            indent=1,
            ensure_ascii=False,
        )


def file_name(key: Mapping[str, str]) -> str:
    """Return the name of a measurement's file: digits, no text from outside."""
    text = json.dumps(dict(key), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:NAME_DIGITS] + SUFFIX


def write_measurement(folder: Path, one: MeasurementFile) -> Path:
    """Write a measurement's file, unless it says the same already; return its path."""
    path = folder / file_name(one.key)
    content = one.text().encode()
    if not path.is_file() or path.read_bytes() != content:
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    return path


def read_measurement_file(path: Path) -> MeasurementFile:
    """Read a measurement's file; raises ``UnreadableError``."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return MeasurementFile(**{**found, "sums": Sums.of_json(found["sums"])})
    except (ValueError, TypeError, LookupError) as error:
        raise UnreadableError(
            f"{path.name}: is not a file of a database's measurement; plan it again"
        ) from error


def mark_read(path: Path) -> None:
    """Note that a measurement was read whole, as its file says it now."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(READ_SUFFIX).write_text(digest, "utf-8")


def was_read(path: Path) -> bool:
    """Return whether a measurement was read since its file changed last."""
    mark = path.with_suffix(READ_SUFFIX)
    if not (path.is_file() and mark.is_file()):
        return False
    return mark.read_text("utf-8") == hashlib.sha256(path.read_bytes()).hexdigest()
