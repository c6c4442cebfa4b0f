"""The calls that run and those that ended a while ago, with their outcome: for the page and the HTTP API."""
