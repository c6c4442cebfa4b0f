"""Settings: one schema, its sections, where values come from."""
