"""Decisions on the flow of requests: retries, budgets, windows, outages."""
