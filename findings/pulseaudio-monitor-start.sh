#!/bin/sh
# PulseAudio: the monitor of a null sink does not give the first milliseconds of a player; the rest is exact.
#
# A null sink with a recorder on its monitor is the usual sound card of a test, and one would guess that the recording
# holds what was played, with silence around it. But the sink has drawn some silence ahead when the player starts; it
# rewinds and draws that span anew ("Rewound 2560 bytes" in the log of the server), while the monitor has passed it on
# already. How much is lost depends on when the player comes and on the latency that the player and the recorder ask
# for: up to 20 ms were seen with a recorder that asks for 20 ms, up to 80 ms with one that asks for a second (a player
# of 200 ms). Nothing tells the recorder. From there on every sample is as it was played. Silence of that length in front
# of the material hides it.
#
# Version: PulseAudio 16.1 (Debian's; pulseaudio and pulseaudio-utils must be installed). Output seen; the numbers vary:
#   player 20 ms, recorder 20 ms: the recording lacks 80 samples at the start; the rest is exact: True
#   player 200 ms, recorder 20 ms: the recording lacks 126 samples at the start; the rest is exact: True
#   player 200 ms, recorder 1000 ms: the recording lacks 78 samples at the start; the rest is exact: True
set -eu
for program in pulseaudio pactl paplay parec; do
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


def heard(player_ms, recorder_ms, folder, env):
    record = f"parec --raw --format=s16le --rate=16000 --channels=1 --latency-msec={recorder_ms} -d out.monitor".split()
    with (folder / "heard").open("wb") as out, subprocess.Popen(record, env=env, stdout=out) as recorder:
        time.sleep(1.0)
        play = f"paplay --latency-msec={player_ms} --device=out {folder / 'noise.wav'}".split()
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
        for player, recorder in ((20, 20), (200, 20), (200, 1000)):
            lost, exact = lacks(heard(player, recorder, folder, env))
            print(
                f"player {player} ms, recorder {recorder} ms: the recording lacks {lost} samples at the start; "
                f"the rest is exact: {exact}"
            )
            same &= lost > 0 and exact
    finally:
        server.terminate()
        server.wait()
sys.exit(not same)
PYTHON
