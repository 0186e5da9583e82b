"""Options on how sources are read, as a job folder keeps them: a resume needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkload.cli.options.shared import SheetArguments, SourceOptions

if TYPE_CHECKING:
    from bulkload.sources.listings import Listings


def kept_options(options: SourceOptions) -> dict[str, Any]:
    """Return options as values of JSON; no secret is among them."""
    return _json_able(asdict(options))


def listings_of(sources: Sequence[str], options: SourceOptions, job_dir: Path) -> Listings | None:
    """Return what notes the listings of a job's sources, None where those do not say all."""
    # Only where sources are planned: what reads them takes long to load.
    from bulkload.sources.listings import FILE_NAME, Listings, is_listed

    if not all(map(is_listed, sources)):
        return None
    sheets = options.sheet_arguments
    files = [one for one in (options.specs, sheets.cells, sheets.tests) if one is not None]
    return Listings(job_dir / FILE_NAME, kept_options(options), files)


def _json_able(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of options as JSON has them; paths are the same wherever they are used."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        match value:
            case Path():
                found[name] = str(value.resolve())
            case dict():
                found[name] = _json_able(value)
            case _:
                found[name] = value
    return found


def source_options_from(kept: Mapping[str, Any]) -> SourceOptions:
    """Return the options that a job folder keeps."""
    sheets = kept["sheet_arguments"]
    paths = {name: _path(sheets[name]) for name in ("cells", "tests")}
    return SourceOptions(
        **{
            **kept,
            "specs": _path(kept["specs"]),
            "include": tuple(kept["include"]),
            "exclude": tuple(kept["exclude"]),
            "sheet_arguments": SheetArguments(**{**sheets, **paths}),
        }
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
