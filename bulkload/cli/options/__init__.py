"""Options: what several commands share, and where their values come from."""
