"""Taps: where live calls come from. A tap turns what a peer sends into tap events (tap_events.py)."""
