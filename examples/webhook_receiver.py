"""Receive a monitor's webhook, and refuse what is not signed with the shared secret or is older than five minutes.

python examples/webhook_receiver.py 8080 SECRET
monitor --device mic --set webhook.url=http://127.0.0.1:8080/ --set webhook.secret=SECRET
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

MOST_BYTES = 1 << 20
OLDEST_S = 300


def genuine(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Return whether a request is signed as the Standard Webhooks specification says."""
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    sent = headers.get("webhook-timestamp", "")
    fresh = sent.isdigit() and abs(time.time() - int(sent)) < OLDEST_S
    return fresh and hmac.compare_digest(headers.get("webhook-signature", "").encode(), expected.encode())


def receiver(port: int, secret: bytes) -> HTTPServer:
    """Return a server that prints the events it gets, each once."""
    seen: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(length, MOST_BYTES))
            if not genuine(dict(self.headers), body, secret):
                self.send_error(401)
                return
            message = self.headers["webhook-id"]
            if message not in seen:  # an event may be sent again, under the same id
                seen.add(message)
                event = json.loads(body)
                print(f"{event['type']} {event.get('subject', '')}", flush=True)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing of the requests."""

    return HTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    receiver(int(sys.argv[1]), sys.argv[2].encode()).serve_forever()
