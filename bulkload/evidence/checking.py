"""Check a pack without the job that it is of: its own bytes, Studio, and the sources."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ObjectReceiveStream

from bulkload.client.studio import AsyncStudio
from bulkload.core.digest import files_digest
from bulkload.core.pack import (
    FORM,
    MANIFEST_NAME,
    ManifestError,
    changed_files,
    digest,
    parse_manifest,
)
from bulkload.core.snapshot import StageName
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.engine.limits import READERS
from bulkload.engine.progress import Progress
from bulkload.engine.readback import TableContent
from bulkload.engine.verify import compare_record
from bulkload.errors import SettingsError, UnreadableError
from bulkload.evidence.container import copied, open_pack, sha256_of, stray_byte
from bulkload.evidence.limits import MAX_LINE_BYTES
from bulkload.evidence.writing import ABOUT_NAME, MEASUREMENTS_NAME
from bulkload.sources.stamp import attachments, sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPack:
    """A pack that was read, and what is wrong with its own bytes."""

    #: Where its files lie; empty where they cannot be trusted.
    files: Mapping[str, Path]
    digest: str
    problems: tuple[str, ...]

    @property
    def about(self) -> Mapping[str, Any]:
        """What the pack says of its job, its target and its versions."""
        found: Mapping[str, Any] = json.loads(self.files[ABOUT_NAME].read_text("utf-8"))
        if found.get("form") != FORM:
            raise SettingsError(
                f"the pack has the form {found.get('form')}; this bulkload reads form {FORM}"
            )
        return found

    def measurements(self) -> Iterator[Mapping[str, Any]]:
        """Yield the measurements of the pack."""
        with self.files[MEASUREMENTS_NAME].open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                yield json.loads(line)


@dataclass(slots=True, kw_only=True)
class PackComparison:
    """What was compared with a pack, and what differs."""

    #: Measurements that could be compared, and those of them that were.
    total: int = 0
    compared: int = 0
    rows: int = 0
    #: Measurements of which the pack does not know what they hold.
    unknown: int = 0
    differences: list[str] = field(default_factory=list)


@contextmanager
def checked_pack(path: Path) -> Iterator[CheckedPack]:
    """Check every byte of a pack, and give its files for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="bulkload-pack-") as scratch:
        with open_pack(path) as pack:
            found = copied(pack, Path(scratch))
            twice = len(found) != len(pack.names())
        yield _checked(path, found, twice=twice)


def _checked(path: Path, found: Mapping[str, Path | None], *, twice: bool) -> CheckedPack:
    listing = found.get(MANIFEST_NAME)
    if listing is None:
        reason = f"{path} is not a whole pack: its {MANIFEST_NAME} is missing or damaged"
        return CheckedPack(files={}, digest="", problems=(reason,))
    text = listing.read_bytes().decode("utf-8", "replace")
    try:
        listed = parse_manifest(text)
    except ManifestError as error:
        return CheckedPack(files={}, digest=digest(text), problems=(str(error),))
    hashes = {name: _sha256(file) for name, file in found.items() if name != MANIFEST_NAME}
    problems = changed_files(listed, hashes)
    problems += ["two files of the pack have one name"] if twice else []
    whole = {name: file for name, file in found.items() if file is not None}
    if not problems and path.is_file():
        at = stray_byte(path, sorted(whole.items()))
        if at is not None:
            problems.append(f"byte {at:,} of {path.name}, which belongs to no file, was changed")
    problems += [
        f"{name} is missing from the pack"
        for name in (ABOUT_NAME, MEASUREMENTS_NAME)
        if name not in listed
    ]
    return CheckedPack(files=whole, digest=digest(text), problems=tuple(problems))


def _sha256(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return sha256_of(file)


# -- Studio --------------------------------------------------------------------------------------


async def against_studio(
    pack: CheckedPack, studio: AsyncStudio, is_chosen: Callable[[int], bool], progress: Progress
) -> PackComparison:
    """Read back what Studio holds of a pack's measurements, and compare it by content.

    ``is_chosen`` is asked with the number of each that can be compared, counted from 0.
    ``progress`` has the stage ``compare``.
    """
    found = PackComparison()

    async def compare(one: Mapping[str, Any], scratch: Path) -> str | None:
        content = TableContent(
            rows=one["rows"] or 0, columns=tuple(one["columns"]), digest=one["content_digest"]
        )
        found.rows += content.rows
        return await compare_record(
            studio,
            one["measurement_id"],
            kind=MeasurementType(one["type"]),
            name=one["measurement"],
            content=content,
            scratch=scratch,
        )

    def chosen() -> Iterator[Mapping[str, Any]]:
        number = 0
        for one in pack.measurements():
            if one["measurement_id"] is None:
                continue
            if one["content_digest"] is None:
                found.unknown += 1
                continue
            found.total += 1
            if is_chosen(number):
                yield one
            number += 1

    await _compare_all(chosen(), compare, found, progress)
    return found


async def _compare_all(
    chosen: Iterator[Mapping[str, Any]],
    compare: Callable[[Mapping[str, Any], Path], Awaitable[str | None]],
    found: PackComparison,
    progress: Progress,
) -> None:
    send, receive = anyio.create_memory_object_stream[Mapping[str, Any]](READERS)

    async def work(stream: ObjectReceiveStream[Mapping[str, Any]], scratch: Path) -> None:
        async with stream:
            async for one in stream:
                progress.entered(_key(one), StageName.COMPARE, one["path"])
                message = await compare(one, scratch)
                found.compared += 1
                _came_out(progress, one, message)
                if message is not None:
                    found.differences.append(f"{_key(one)} ({one['measurement_id']}): {message}")

    with tempfile.TemporaryDirectory(prefix="bulkload-pack-") as folder:
        async with anyio.create_task_group() as group:
            for _ in range(READERS):
                group.start_soon(work, receive.clone(), Path(folder))
            receive.close()
            async with send:
                for one in chosen:
                    await send.send(one)
    found.differences.sort()


# -- The sources ---------------------------------------------------------------------------------


def against_sources(pack: CheckedPack, root: Path, progress: Progress) -> PackComparison:
    """Hash the sources of a pack's measurements below a folder, and compare them.

    ``progress`` has the stage ``compare``. One that was rejected is compared too: what was judged
    is what lies there.
    """
    found = PackComparison()
    for one in pack.measurements():
        if not one["source_sha256"]:
            found.unknown += 1
            continue
        found.total += 1
        found.compared += 1
        path = root / one["source"]
        progress.entered(_key(one), StageName.COMPARE, str(path))
        message = _source_difference(path, one)
        _came_out(progress, one, message)
        if message is not None:
            found.differences.append(f"{_key(one)}: {path} {message}")
    return found


def _source_difference(path: Path, one: Mapping[str, Any]) -> str | None:
    try:
        if MeasurementType(one["type"]) is MeasurementType.FILE:
            held = files_digest((file.name, sha256(file)) for file in attachments(path))
        else:
            held = sha256(path)
    except FileNotFoundError:
        return "does not exist"
    except (OSError, UnreadableError) as error:
        return f"cannot be read: {error}"
    if held != one["source_sha256"]:
        return f"was changed: its SHA-256 was {one['source_sha256']}"
    return None


def _came_out(progress: Progress, one: Mapping[str, Any], message: str | None) -> None:
    progress.came_out(_key(one), StageName.COMPARE, "equal" if message is None else "different")


def _key(one: Mapping[str, Any]) -> JobKey:
    return JobKey(one["spec"], one["cell"], one["measurement"])
