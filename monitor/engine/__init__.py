"""The live engine: ring buffer, scoring loop, evidence, decision, and the events that follow."""
