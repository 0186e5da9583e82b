"""``bulkload.toml``: a job as a file. Read, checked, applied, and written by a survey."""
