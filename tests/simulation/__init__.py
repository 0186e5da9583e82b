"""Stand-ins for the world outside, for tests and rehearsals."""
