"""What a kill -9 costs: of peers their own calls, of the server nothing that it has published."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import peers
import pytest
from helpers import Running, journaled, make_weights, settings, start_monitor, turning_call, voice, write_wav
from serving import QUICK, select, serving, simulate, wait_until

pytestmark = pytest.mark.realtime


def _ended(monitor: Running, count: int, why: Sequence[str]) -> None:
    """Wait until so many calls have ended for one of these reasons."""
    reasons = tuple(why)
    wait_until(monitor, lambda: sum(e["why"].startswith(reasons) for e in select(monitor, "call.ended")) >= count)


def test_half_the_peers_are_killed_and_the_others_feel_nothing(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "human.wav", voice(12.0))
    tcp, udp = f"127.0.0.1:{peers.free_port()}", f"127.0.0.1:{peers.free_port()}"
    with serving(tmp_path, "--audiosocket", tcp, "--rtp", udp) as monitor, ExitStack() as stack:
        other = ("--with", "uuid=00000000-0000-0000-0000-000000000009")
        calling = (("audiosocket", tcp), ("rtp", udp), ("audiosocket", tcp, *other), ("rtp", udp))
        far = [stack.enter_context(simulate(tmp_path, tap, wav, to, *more)) for tap, to, *more in calling]
        wait_until(monitor, lambda: len(select(monitor, "call.started")) == 4)
        for victim in far[:2]:
            victim.end(signal.SIGKILL)
        _ended(monitor, 2, ["the peer closed", "the connection broke", "nothing came for 2 s"])
        assert [f.end() for f in far[2:]] == [0, 0]
        _ended(monitor, 2, ["the peer hung up", "the sender said BYE"])
    ended = [e for e in select(monitor, "call.ended") if e["why"] in ("the peer hung up", "the sender said BYE")]
    assert [e["lost_s"] for e in ended] == [0, 0]
    assert all(e["duration_s"] > 11.9 for e in ended)


def test_the_server_is_killed_and_what_it_had_published_stands(tmp_path: Path) -> None:
    make_weights(tmp_path / "w.safetensors")
    wav, to = write_wav(tmp_path / "turning.wav", turning_call(3, 6, 1)), f"127.0.0.1:{peers.free_port()}"
    words = ("serve", "--audiosocket", to, "--weights", "w.safetensors", "--json", "--no-publish")
    words += ("--journal", "journal", *settings(*QUICK))
    journal = tmp_path / "journal"
    with start_monitor(*words, cwd=tmp_path) as monitor:
        monitor.wait_for(lambda line: '"listening"' in line)
        with simulate(tmp_path, "audiosocket", wav, to, "--with", "rate=16000") as far:
            opened = monitor.wait_for(lambda line: '"alert.opened"' in line)
            monitor.end(signal.SIGKILL)
            assert far.end() == 2
            assert "error: " in far.stderr
    written = [json.loads(line) for line in journaled(journal).splitlines()]
    assert json.loads(opened) in written
    assert [e["seq"] for e in written] == list(range(1, len(written) + 1))
    with journal.open("ab") as torn:  # as a power cut leaves it
        torn.write(b'{"type":"score","call":"audio')
    with start_monitor(*words, cwd=tmp_path) as monitor:
        monitor.wait_for(lambda line: '"listening"' in line)
        assert monitor.end(signal.SIGINT) == 130
    assert "a torn last line of 29 bytes was moved to" in monitor.stderr
    assert all(json.loads(line) for line in journal.read_text().splitlines())
