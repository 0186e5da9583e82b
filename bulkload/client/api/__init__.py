"""The resources of the API: every call of the official client, with its arguments and answers."""
