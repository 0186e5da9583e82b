"""Write a sample archive for trying things out; its cells are modelled, not measured."""

from bulkload.demo.archive import EXPECTED, write_archive

__all__ = ["EXPECTED", "write_archive"]
