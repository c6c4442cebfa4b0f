"""Classical vocoders, in numpy: used by the demonstration and by training."""
