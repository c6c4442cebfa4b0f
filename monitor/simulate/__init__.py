"""Simulators: far ends of the taps, which play a recorded call as the real peer would."""
