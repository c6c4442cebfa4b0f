"""Delivery under faults: python -m chaos --rounds 100."""
