"""Calls over WebSocket: one server, a handler for each protocol, chosen by the path of the request."""
