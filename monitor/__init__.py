"""The live program: sources, ring, pool, evidence, alerts, sinks and the command line."""
