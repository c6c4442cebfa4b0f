"""Push a recording to a monitor as if it were a live call, and print its verdict.

python examples/api_push.py call.wav [ws://127.0.0.1:8000]
"""

from __future__ import annotations

import json
import sys
import wave

from websockets.sync.client import connect


def main(recording: str, address: str = "ws://127.0.0.1:8000") -> int:
    with wave.open(recording) as file, connect(f"{address}/api/v1/streams?rate={file.getframerate()}") as stream:
        while frames := file.readframes(file.getframerate() // 5):  # 16-bit PCM, mono
            stream.send(frames)
        stream.send(json.dumps({"end": True}))
        for event in map(json.loads, stream):
            if event["type"] == "verdict":
                print(event["call"]["outcome"], event["call"]["highest_llr"], event["call"]["speech_s"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
