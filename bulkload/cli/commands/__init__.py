"""Commands: a module for each, and beside it what it alone needs."""
