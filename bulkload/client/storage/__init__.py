"""Transfers to signed URLs: PUT, multipart, and what a store answers."""
