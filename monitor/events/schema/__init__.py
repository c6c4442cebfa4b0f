"""The types of events: one model each, and the JSON Schemas that are made of them."""
