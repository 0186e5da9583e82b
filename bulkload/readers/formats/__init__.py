"""The cyclers, a page each."""
