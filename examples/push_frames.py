"""Score audio that comes over a TCP socket while it comes: 16-bit little-endian PCM at 16 kHz, one channel.

python examples/push_frames.py 7000
ffmpeg -re -i call.wav -ar 16000 -ac 1 -f s16le tcp://127.0.0.1:7000
"""

from __future__ import annotations

import socket
import sys

import monitor


def main(port: int) -> int:
    with socket.create_server(("127.0.0.1", port)) as server:
        print(f"listening on 127.0.0.1:{server.getsockname()[1]}", flush=True)
        connection, _ = server.accept()
    with connection, monitor.open_stream(sample_rate=16_000, call="socket") as stream:
        held = b""
        while data := connection.recv(4096):
            held += data
            whole = len(held) // 2 * 2  # a read may end within a sample
            for event in stream.push(held[:whole]):
                if event.type != "score":
                    print(f"{event.sample / 16_000:.1f} s: {event.type} {event.data.get('state', '')}", flush=True)
            held = held[whole:]
        stream.finish()
        for score in stream.scores():
            print(f"all of it: {score.state}, p_fake {score.p_fake:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
