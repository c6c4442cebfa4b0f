"""The worst calls of a monitor, and a mark on the first of them, over its HTTP API.

python examples/api_calls.py [http://127.0.0.1:8000] ["what you heard"]
"""

from __future__ import annotations

import json
import sys
from urllib.request import Request, urlopen


def main(address: str = "http://127.0.0.1:8000", note: str = "") -> int:
    calls = json.load(urlopen(f"{address}/api/v1/calls?sort=-highest_llr&limit=10"))["calls"]
    for call in calls:
        print(call["started"], call["name"], call["outcome"], call["highest_llr"], sep="\t")
    if note and calls:
        mark = json.dumps({"kind": "false_alarm", "note": note, "by": "an example"}).encode()
        headers = {"Content-Type": "application/json"}  # and "Authorization": "Bearer SECRET" where there are keys
        said = json.load(urlopen(Request(f"{address}/api/v1/calls/{calls[0]['id']}/marks", mark, headers)))
        print("marked", said["id"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
