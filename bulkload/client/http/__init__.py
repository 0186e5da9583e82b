"""Requests to the API: sessions, credentials, retries, limits and the meaning of each answer."""
