#!/bin/sh
# Alertmanager takes a missing startsAt for endsAt, so that an alert that is said again begins in the future.
#
# In POST /api/v2/alerts both times may be left out. One would guess that an alert without startsAt began when it was
# first heard of, or now. Where endsAt is there (the usual way to let the alerts of a dead sender expire), startsAt
# becomes the same: five minutes ahead, and further ahead with each update, also of an alert whose start was known.
#
# Version: Alertmanager 0.25.0 (Debian's prometheus-alertmanager; it must be installed). Output seen:
#   opened with both times: startsAt is 0 s from now
#   updated with endsAt alone: startsAt is 300 s from now
#   updated with both times: startsAt is 0 s from now
set -eu
command -v prometheus-alertmanager >/dev/null || { echo "not run: prometheus-alertmanager is not installed"; exit 0; }
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'route: {receiver: none}\nreceivers: [{name: none}]\n' >"$folder/am.yml"
prometheus-alertmanager --config.file="$folder/am.yml" --storage.path="$folder/data" --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$port" 2>"$folder/log" &
server=$!
trap 'kill $server; wait $server || true; rm -rf "$folder"' EXIT
python3 - "http://127.0.0.1:$port/api/v2/alerts" <<'PYTHON'
import json
import sys
import time
import urllib.request
from datetime import datetime, timedelta, timezone

URL = sys.argv[1]
NOW = datetime.now(timezone.utc)
END = {"endsAt": (NOW + timedelta(minutes=5)).isoformat()}


def start_after(**times: str) -> int:
    """Post the alert; seconds from NOW to the start that is shown."""
    body = json.dumps([{"labels": {"alertname": "a"}, **times}]).encode()
    request = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    for _ in range(100):
        try:
            urllib.request.urlopen(request, timeout=10).close()
            break
        except OSError:
            time.sleep(0.2)
    with urllib.request.urlopen(URL, timeout=10) as answer:
        found = json.load(answer)[0]["startsAt"]
    return round((datetime.fromisoformat(found.replace("Z", "+00:00")) - NOW).total_seconds())


seen = []
for what, times in (
    ("opened with both times", {"startsAt": NOW.isoformat(), **END}),
    ("updated with endsAt alone", END),
    ("updated with both times", {"startsAt": NOW.isoformat(), **END}),
):
    seen.append(start_after(**times))
    print(f"{what}: startsAt is {seen[-1]} s from now")
sys.exit(seen != [0, 300, 0])
PYTHON
