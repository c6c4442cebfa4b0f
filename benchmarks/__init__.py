"""Measurements of the whole program: speed, latency, drift, time to detect. They may import everything."""
