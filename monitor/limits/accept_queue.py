"""How many connections may wait to be accepted by a listener."""

ACCEPT_QUEUE = 4096
"""The system may allow fewer (net.core.somaxconn). Where the queue is full, the system of whoever connects tries again
after 1, 2, 4 ... 64 s (RFC 6298, tcp(7)): a flood of connections would keep a good peer out for minutes.
"""
