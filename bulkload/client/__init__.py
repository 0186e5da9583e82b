"""The client of Ionworks Studio: asynchronous, with a synchronous face."""
