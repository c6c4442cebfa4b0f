"""Print the alerts of a running monitor, and what this subscriber missed.

monitor serve ...
python examples/subscribe_alerts.py tcp://127.0.0.1:5556
"""

from __future__ import annotations

import sys

import monitor


def main(address: str, count: int | None = None) -> int:
    with monitor.Subscriber(address, topics=["alert."]) as subscriber:
        for item in subscriber:
            match item:
                case monitor.Message(event=event):
                    print(
                        f"{event.time} {event.call}/{event.channel}: {event.type}, llr {event.data['llr']}", flush=True
                    )
                case monitor.Missed():
                    print(f"up to {item.at_most} events are missing", flush=True)
                case monitor.Silent(seconds=seconds):
                    print(f"nothing from {address} for {seconds:g} s", file=sys.stderr, flush=True)
            count = None if count is None else count - isinstance(item, monitor.Message)
            if count == 0:
                break
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
