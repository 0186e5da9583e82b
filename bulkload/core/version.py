"""The version of the package, in the one place that builds and messages read."""

from typing import Final

VERSION: Final = "0.1.0"
