"""Asterisk AudioSocket over TCP."""
