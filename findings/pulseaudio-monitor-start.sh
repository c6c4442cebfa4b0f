#!/bin/sh
# PulseAudio: the monitor of a null sink does not give the first milliseconds of a player; the rest is exact.
#
# A null sink with a recorder on its monitor is the usual sound card of a test, and one would guess that the recording
# holds what was played, with silence around it. The sink has already drawn some silence ahead when the player starts;
# it draws that span anew for itself, while the monitor has passed it on. So the recording lacks the first 5 ms (80
# samples at 16 kHz) of a player that asks for 20 ms of latency, and 20 ms for one of 200 ms, whatever the recorder asks
# for; nothing tells the recorder. From there on every sample is as it was played. Silence of 100 ms in front of the
# material hides it.
#
# Version: PulseAudio 16.1 (Debian's; pulseaudio and pulseaudio-utils must be installed). Output seen:
#   latency 20 ms: the recording lacks 80 samples at the start; the rest is exact: True
#   latency 200 ms: the recording lacks 320 samples at the start; the rest is exact: True
set -eu
for program in pulseaudio paplay parec; do
    command -v "$program" >/dev/null || { echo "not run: $program is not installed"; exit 0; }
done
python3 - <<'PYTHON'
import array
import os
import random
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

draw = random.Random(1)
noise = array.array("h", (draw.randint(1, 9000) for _ in range(16_000))).tobytes()


def heard(latency_ms, folder, env):
    record = "parec --raw --format=s16le --rate=16000 --channels=1 --latency-msec=20 -d out.monitor".split()
    with (folder / "heard").open("wb") as out, subprocess.Popen(record, env=env, stdout=out) as recorder:
        time.sleep(1.0)
        play = f"paplay --latency-msec={latency_ms} --device=out {folder / 'noise.wav'}".split()
        subprocess.run(play, env=env, check=True, timeout=30)
        time.sleep(1.0)
        recorder.terminate()
    return (folder / "heard").read_bytes()


def lacks(recording):
    """Samples of the noise before what was heard of it, and whether the rest came whole."""
    samples = array.array("h", recording)
    first = next(i for i, sample in enumerate(samples) if sample)
    rest = recording[2 * first :]
    start = next((i for i in range(0, len(noise), 2) if noise[i : i + 400] == rest[:400]), len(noise))
    return start // 2, rest.startswith(noise[start:]) and start < len(noise)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    with wave.open(str(folder / "noise.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(noise)
    env = os.environ | {"PULSE_SERVER": f"unix:{folder}/native", "HOME": name, "XDG_RUNTIME_DIR": name}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    command += ["-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1"]
    command += ["-L", "module-null-sink sink_name=out rate=16000 channels=1 format=s16le"]
    server = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=env, capture_output=True).returncode:
            if time.monotonic() > give_up:
                sys.exit("PulseAudio does not start")
            time.sleep(0.1)
        same = True
        for latency in (20, 200):
            lost, exact = lacks(heard(latency, folder, env))
            print(f"latency {latency} ms: the recording lacks {lost} samples at the start; the rest is exact: {exact}")
            same &= 0 < lost <= 320 and exact
    finally:
        server.terminate()
        server.wait()
sys.exit(not same)
PYTHON
