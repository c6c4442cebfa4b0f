"""The command line: one file for each command of `monitor`, with its options and its help."""
