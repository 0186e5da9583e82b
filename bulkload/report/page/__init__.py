"""The live page: a small server on this machine that shows a job in a browser while it runs."""
