"""One file per destination of events."""
