"""How many connections may wait to be accepted by a listener, and how many may then say nothing yet."""

ACCEPT_QUEUE = 4096
"""The queue of ZeroMQ, which accepts in a thread of its own. The system may allow fewer (net.core.somaxconn). Where the
queue is full, the system of whoever connects tries again after 1, 2, 4 ... 64 s (RFC 6298, tcp(7)): a flood of
connections would keep a good peer out for minutes.
"""
ACCEPTED_AT_ONCE, MOST_SILENT = 256, 512
"""Limits for asyncio, which accepts so many in one turn and reads what came on them in the next: no peer that says
something at once has to make room for others before it was read.
"""
