"""Templates to text. Whatever is put into one is escaped: as HTML, and for what does not print."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bulkload.core.text import printable
from bulkload.core.version import VERSION
from bulkload.errors import MissingExtraError
from bulkload.report import texts
from bulkload.report.facts import OUTCOMES
from bulkload.report.limits import SHOWN_CHARACTERS

if TYPE_CHECKING:
    from jinja2 import Environment

#: What stands before an outcome beside its colour.
MARKS: Final = {
    "created": "✓",
    "existing": "=",
    "rejected": "▲",
    "failed": "✕",
    "skipped": "-",
    "not done": "○",
}
_FILTERS: Final = (
    texts.count, texts.figure, texts.size, texts.duration, texts.moment, texts.dashed,
    texts.capacity_line, texts.capacity_text, texts.covered,
)  # fmt: skip


def asset(name: str) -> str:
    """Return a file of the templates' folder as text."""
    return files("bulkload.report").joinpath("templates", name).read_text("utf-8")


@lru_cache(1)
def environment() -> Environment:
    """Return the templates; ``MissingExtraError`` without the extra ``report``."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("A report", "report") from error

    def shown(value: Any) -> Any:
        return (
            printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    script = asset("report.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found = Environment(
        loader=PackageLoader("bulkload.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    found.filters.update({one.__name__: one for one in _FILTERS})
    found.globals.update(
        marks=MARKS,
        outcomes=OUTCOMES,
        shown_characters=SHOWN_CHARACTERS,
        css=Markup(asset("base.css")),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        script_hash=f"sha256-{digest}",
        version=VERSION,
    )
    return found


def write_html(template: str, values: Mapping[str, Any], path: Path) -> None:
    """Write a page so that the file is whole, or as it was before."""
    scratch = path.with_name(path.name + ".part")
    written = texts.moment(datetime.now(UTC))
    stream = environment().get_template(template).stream(**values, written=written)
    stream.enable_buffering(64)
    with scratch.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(stream)
    scratch.replace(path)
