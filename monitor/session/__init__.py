"""One run of the program: model, signals, screen and sinks around an engine."""
