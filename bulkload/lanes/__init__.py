"""Jobs of several parts: on several cores, on several machines, and brought together again."""
