"""The network of the project that this one began as: a bidirectional LSTM over whole clips, to compare with."""
