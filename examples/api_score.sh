#!/bin/sh
# Score a file over the HTTP API, and keep the report: sh examples/api_score.sh call.wav [http://127.0.0.1:8000]
set -eu
api="${2:-http://127.0.0.1:8000}/api/v1/scores"
id=$(curl -fsS -F "file=@$1" "$api" | sed 's/^{"id":"\([0-9a-f]*\)".*/\1/')
until curl -fsS "$api/$id" | grep -Eq '"state":"(done|failed)"'; do sleep 1; done
curl -fsS "$api/$id"; echo
curl -fsS -o report.html "$api/$id/report"
curl -fsS -X DELETE "$api/$id"
