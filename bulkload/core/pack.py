"""The manifest of a pack of evidence: what it holds, by SHA-256, and one digest over all.

The manifest has the form of ``sha256sum``, so that it can be checked without bulkload too. The
digest is the SHA-256 of the manifest: whoever keeps it can tell whether any byte was changed,
also together with the manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

MANIFEST_NAME: Final = "MANIFEST.sha256"
#: The form of a pack: another one is not read.
FORM: Final = 1

_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")


class ManifestError(ValueError):
    """A manifest is not one that was written as it stands."""


def manifest_text(hashes: Mapping[str, str]) -> str:
    """Return the manifest of files by name, in the order of their names."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))


def digest(manifest: str) -> str:
    """Return the digest over all that a manifest lists."""
    return hashlib.sha256(manifest.encode()).hexdigest()


def parse_manifest(text: str) -> dict[str, str]:
    """Return the hashes by name; raise ``ManifestError`` for what is not a whole manifest."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ManifestError(f"{MANIFEST_NAME}, line {number} is not a hash and a name")
        found[match[2]] = match[1]
    if manifest_text(found) != text:
        raise ManifestError(f"{MANIFEST_NAME} is not as it was written")
    return found


def changed_files(listed: Mapping[str, str], found: Mapping[str, str | None]) -> list[str]:
    """Return in sentences how the files of a pack differ from its manifest.

    ``found`` has the hash of each file, None where one cannot be read.
    """
    problems = [f"{name} is missing from the pack" for name in sorted(listed.keys() - found.keys())]
    problems += [f"{name} is not in the manifest" for name in sorted(found.keys() - listed.keys())]
    for name in sorted(listed.keys() & found.keys()):
        if found[name] is None:
            problems.append(f"{name} cannot be read")
        elif found[name] != listed[name]:
            problems.append(f"{name} was changed: its SHA-256 is {found[name]}")
    return problems
