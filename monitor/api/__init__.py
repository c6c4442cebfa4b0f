"""The HTTP API for programs, in the listener of the page: /api/v1."""
