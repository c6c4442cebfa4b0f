"""Marks that a recording carries about its own origin: content credentials and watermarks. They are no evidence."""
