"""Hostile input for every parser that the network reaches: coverage-guided, with atheris (`make fuzz`)."""
