#!/bin/sh
# onnxruntime's wheels report to their makers by default, on Linux too, and disable_telemetry_events() comes too late.
#
# One would guess that a library for arithmetic opens no connection, and that the function of that name switches it off.
# Importing the package writes an identifier of this machine below the user's cache folder; once there is a session, a
# thread looks up a host of the makers and uploads.
# The function stops further events alone. ORT_DISABLE_TELEMETRY=1 before the import stops all of it.
#
# Seen with onnxruntime 1.32.0 (Linux, x86-64):
#   as it is: an identifier is written
#   disable_telemetry_events(): an identifier is written
#   ORT_DISABLE_TELEMETRY=1: nothing is written
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet "$folder/env"
uv pip install --quiet --python "$folder/env/bin/python" onnxruntime==1.32.0

run() { # name, program, further words of the environment
    mkdir "$folder/home"
    env -u ORT_DISABLE_TELEMETRY -u XDG_CACHE_HOME HOME="$folder/home" $3 "$folder/env/bin/python" -c "$2"
    found=$(find "$folder/home" -name deviceid | wc -l)
    [ "$found" = 0 ] && seen="nothing is written" || seen="an identifier is written"
    rm -rf "$folder/home"
    echo "$1: $seen"
}

{
    run "as it is" "import onnxruntime" ""
    run "disable_telemetry_events()" "import onnxruntime; onnxruntime.disable_telemetry_events()" ""
    run "ORT_DISABLE_TELEMETRY=1" "import onnxruntime" "ORT_DISABLE_TELEMETRY=1"
} | tee "$folder/seen"
printf '%s\n' "as it is: an identifier is written" "disable_telemetry_events(): an identifier is written" \
    "ORT_DISABLE_TELEMETRY=1: nothing is written" | cmp - "$folder/seen"
