"""The survey of an archive: list, look at beginnings in parallel, compare contents, propose."""

from __future__ import annotations

import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.proposal import FileFacts
from bulkload.core.survey.propose import Knowledge, Survey, propose
from bulkload.errors import UnreadableError
from bulkload.sources.metadata_files import Role, read_mapping, role_of
from bulkload.surveying.look import HEAD_BYTES, content_digest, look_at_all
from bulkload.surveying.walk import ListedFile, walk

#: Files that a worker looks at before it answers: keeps what is lost with an interruption small.
CHUNK_FILES: Final = 200
#: Below it, starting workers (about a second each) costs more than they save.
FILES_WORTH_WORKERS: Final = 1500
#: Chunks handed out before the first comes back: bounds what waits in memory.
CHUNKS_AHEAD: Final = 8
#: Files of a proposal that are kept in memory; about 2 kB each.
MAX_FILES: Final = 2_000_000


def survey_sources(
    sources: Sequence[Path],
    knowledge: Knowledge,
    *,
    workers: int,
    on_found: Callable[[], None] = lambda: None,
    on_look: Callable[[int, int], None] = lambda _, __: None,
) -> Survey:
    """Look at sources and propose; paths of several sources begin with the source's name.

    ``on_found`` is called for each file, ``on_look`` gets the number of files looked at so far,
    and of those to be looked at.
    """
    is_one = len(sources) == 1
    facts: dict[str, FileFacts] = {}
    listed: dict[str, ListedFile] = {}
    for source in sources:
        prefix = "" if is_one else f"{source.name}/"
        for one in walk(source, prefix):
            if isinstance(one, ListedFile):
                listed[one.path] = one
            facts[one.path] = _unseen(one) if isinstance(one, ListedFile) else one
            on_found()
            if len(facts) > MAX_FILES:
                raise UnreadableError(
                    f"more than {MAX_FILES:,} files: survey the archive in several parts"
                )
    for found in _look(list(listed.values()), workers, on_look):
        facts[found.path] = found
    _compare(facts, listed)
    noted = _noted_specifications(facts, sources if is_one else ())
    return propose(list(facts.values()), replace(knowledge, noted=noted))


def _unseen(one: ListedFile) -> FileFacts:
    return FileFacts(
        path=one.path, size_bytes=one.size_bytes, modified_s=one.modified_s,
        kind=ContentKind.UNREADABLE,
    )  # fmt: skip


def _look(
    listed: Sequence[ListedFile], workers: int, on_look: Callable[[int, int], None]
) -> Iterator[FileFacts]:
    chunks = (listed[at : at + CHUNK_FILES] for at in range(0, len(listed), CHUNK_FILES))
    done = 0
    on_look(done, len(listed))
    answers = (
        map(look_at_all, chunks)
        if workers < 2 or len(listed) < FILES_WORTH_WORKERS
        else _in_processes(chunks, workers)
    )
    for answer in answers:
        yield from answer
        done += len(answer)
        on_look(done, len(listed))


def _in_processes(
    chunks: Iterable[Sequence[ListedFile]], workers: int
) -> Iterator[list[FileFacts]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: set[Future[list[FileFacts]]] = set()
        rest = iter(chunks)
        try:
            while True:
                for chunk in islice(rest, workers * CHUNKS_AHEAD - len(waiting)):
                    waiting.add(pool.submit(look_at_all, chunk))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _compare(facts: dict[str, FileFacts], listed: dict[str, ListedFile]) -> None:
    """Leave a digest with files of equal content alone.

    Equal size and beginning make a suspicion; the whole content is read to prove it.
    """
    alike: dict[tuple[int, str], list[str]] = defaultdict(list)
    for path, one in facts.items():
        if one.digest and one.kind is ContentKind.DATA:
            alike[one.size_bytes, one.digest].append(path)
        elif one.digest:
            facts[path] = replace(one, digest="")
    for (size_bytes, _), paths in alike.items():
        if len(paths) == 1:
            facts[paths[0]] = replace(facts[paths[0]], digest="")
        elif size_bytes >= HEAD_BYTES:
            for path in paths:
                facts[path] = replace(facts[path], digest=content_digest(listed[path]))


def _noted_specifications(
    facts: dict[str, FileFacts], sources: Sequence[Path]
) -> dict[tuple[str, ...], str]:
    """Return the names that ``spec.*`` files state, by their folder below the source."""
    found: dict[tuple[str, ...], str] = {}
    for path, one in facts.items():
        *folders, name = path.split("/")
        if one.kind is not ContentKind.METADATA or role_of(name) != (Role.SPECIFICATION, ""):
            continue
        stated: object = None
        try:
            stated = read_mapping(sources[0] / path).get("name") if sources else None
        except UnreadableError:
            continue
        fallback = folders[-1] if folders else sources[0].resolve().name if sources else ""
        found[tuple(folders)] = str(stated or fallback)
    return found


def default_workers() -> int:
    """Return how many processes look at files: as many as cores."""
    return os.cpu_count() or 1
