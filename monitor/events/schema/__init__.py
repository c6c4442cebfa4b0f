"""What every event looks like: one model a type, and the JSON Schemas that are made of them."""
