#!/bin/sh
# libzmq: who may connect is asked once, so that a key taken back stops nobody who is connected.
#
# One would guess that a subscriber whose key the ZAP handler (RFC 27) no longer accepts stops receiving, at the latest
# with the next message. The handler is asked at the handshake alone, and no call ends one connection of a socket: what
# takes a key back has to close the whole socket.
#
# Seen with pyzmq 27.1.0 (libzmq 4.3.5): after the key is refused the first subscriber still receives; a new one with
# the same key receives nothing
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" pyzmq==27.1.0
"$folder/env/bin/python" - <<'EOF'
import os
import threading

import zmq

context = zmq.Context()
server_public, server_secret = zmq.curve_keypair()
public, secret = zmq.curve_keypair()
accepted = threading.Event()
accepted.set()
answers: list[bytes] = []
handler = context.socket(zmq.REP)
handler.bind("inproc://zeromq.zap.01")


def answer() -> None:
    while True:
        try:
            request = handler.recv_multipart()
        except zmq.ContextTerminated:
            return
        answers.append(b"200" if accepted.is_set() else b"400")
        handler.send_multipart([b"1.0", request[1], answers[-1], b"", b"", b""])


threading.Thread(target=answer, daemon=True).start()
publisher = context.socket(zmq.XPUB)
publisher.curve_server, publisher.curve_publickey, publisher.curve_secretkey = True, server_public, server_secret
port = publisher.bind_to_random_port("tcp://127.0.0.1")


def subscriber() -> zmq.Socket:
    made = context.socket(zmq.SUB)
    made.curve_serverkey, made.curve_publickey, made.curve_secretkey = server_public, public, secret
    made.subscribe(b"")
    made.connect(f"tcp://127.0.0.1:{port}")
    return made


first = subscriber()
assert publisher.poll(20_000), "the first subscriber is let in"
publisher.recv()
accepted.clear()
second = subscriber()
while len(answers) < 2:
    publisher.poll(50)
publisher.send(b"after the key was refused")
still, new = bool(first.poll(20_000)), bool(second.poll(1000))
print("the first subscriber receives:", still, "| a new one with the same key:", new, "| answers:", answers[:2])
assert still and not new
assert answers[:2] == [b"200", b"400"]

os._exit(0)
EOF
