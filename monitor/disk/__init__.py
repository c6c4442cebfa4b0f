"""Helpers for writing files: portable names, private files, locks."""
