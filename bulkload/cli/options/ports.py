"""Ports that options name."""

from __future__ import annotations

from typing import Final

from cyclopts.validators import Number

#: What TCP has, 0 for a free one: anything else is a mistake of the command line.
is_port: Final = Number(gte=0, lte=65535)
