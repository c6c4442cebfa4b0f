"""Limits on the memory, files and processor time that peers can make the program spend."""
