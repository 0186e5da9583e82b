"""The run: a plan is prepared, uploaded and awaited, and each event is recorded."""
