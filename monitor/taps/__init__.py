"""Taps: where live calls come from. A tap turns what a peer sends into happenings (happenings.py)."""
