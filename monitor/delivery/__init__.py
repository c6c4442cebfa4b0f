"""Reliable delivery of the stream of events: keys, requests for missed events, and their answers."""
