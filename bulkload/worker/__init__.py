"""Work done in processes of its own: read, validate and encode one file."""
