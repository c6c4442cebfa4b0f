"""`monitor serve`: many live calls in one process, taken from taps."""
