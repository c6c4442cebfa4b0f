"""Pure torch: features, network, stream state, calibration, checkpoints. No threads, clocks, devices or sockets."""
