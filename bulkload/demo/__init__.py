"""A sample archive to look at and to try things on; its cells are models, not measurements."""

from bulkload.demo.archive import EXPECTED, write_archive

__all__ = ["EXPECTED", "write_archive"]
