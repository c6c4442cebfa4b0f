"""A printable page about a call: timeline, alerts, spectrograms, how to read it."""
