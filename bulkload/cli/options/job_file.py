"""``bulkload.toml`` on the command line: the options that it states, where the user gives none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from cyclopts import App, CycloptsError, Token
from cyclopts.argument import Argument, ArgumentCollection

from bulkload.core.text import shown
from bulkload.errors import SettingsError
from bulkload.sources.jobfile.document import is_job_file, read_job_file
from bulkload.sources.plan_sheets import carried_options
from bulkload.sources.schema import unknown
from bulkload.sources.tables import TABLE_SUFFIXES

#: Options that say what one run is asked for, not what the job is.
_OF_A_RUN: Final = frozenset(("dry_run", "json", "quiet", "until"))

#: Options of a file, by their keys, with their lines.
_Stated = Mapping[str, tuple[Any, int]]


def fill_options(arguments: ArgumentCollection, paths: Sequence[Path], upload: App) -> None:
    """Fill in the options that a file of a job, or a plan, among the sources states.

    ``upload`` is the command whose options a file may state; each other command takes those that
    it has. Options on the command line take precedence. Raises ``JobFileError`` with all that is
    wrong with the file.
    """
    own = _by_name(arguments)
    found = [path for path in paths if is_job_file(path)]
    for path in paths:
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
            _fill(own, carried_options(path))
    if not found:
        return
    if len(found) > 1:
        raise SettingsError(f"{found[0]} and {found[1]} are both files of a job: give one of them")
    whole = _by_name(upload.assemble_argument_collection())
    job = read_job_file(found[0], partial(_faults, whole))
    _fill(own, {key: value for key, (value, _) in job.options.items()})


def _fill(own: Mapping[str, Argument], stated: Mapping[str, Any]) -> None:
    for key, value in stated.items():
        argument = own.get(_name(key))
        # A command that has no such option, or one that the user gave: nothing to do.
        if argument is not None and not argument.has_tokens:
            _give(argument, key, value)


def _by_name(arguments: ArgumentCollection) -> dict[str, Argument]:
    """Return options by their names on the command line, with underscores."""
    return {
        _name(name.removeprefix("--")): one
        for one in arguments
        for name in one.names
        if name.startswith("--") and not name.startswith("--no-")
    }


def _name(key: str) -> str:
    return key.rpartition(".")[2].replace("-", "_")


def _faults(whole: Mapping[str, Argument], stated: _Stated) -> Iterator[tuple[int, str]]:
    """Yield the options that are not known, and those whose value is not what they take."""
    known = dict.fromkeys(name for name in whole if name not in _OF_A_RUN)
    for key, (value, line) in stated.items():
        if _name(key) not in known:
            yield line, f"key {shown(key)} {unknown(_name(key), known)}"
            continue
        argument = whole[_name(key)]
        _give(argument, key, value)
        try:
            argument.convert_and_validate()
        except CycloptsError as error:
            sentence = " ".join(str(error).split()).removeprefix(f"{type(error).__name__} ")
            yield line, f"key {shown(key)}: {sentence[:1].lower()}{sentence[1:]}"


def _give(argument: Argument, key: str, value: Any) -> None:
    """Give an option the words that state its value on the command line."""
    words = value if isinstance(value, list | tuple) else [value]
    # An option that takes one word takes a list as the command line has it: a,b.
    if argument.token_count() == (1, False):
        words = [",".join(map(_word, words))]
    for at, word in enumerate(words):
        argument.append(Token(keyword=f"--{_name(key)}", value=_word(word), index=at))


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
