"""Network captures: which calls are in a file, found without a clock or a socket."""
