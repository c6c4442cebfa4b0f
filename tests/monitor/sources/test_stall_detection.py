"""What blocks and a clock tell: loss, bursts and drift; dead inputs; the list of faults."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.audio import Chunk
from monitor.sources.device_clock import ClockedResampler
from monitor.sources.device_stream import CapturedBlock
from monitor.sources.stall_detection import ArrivalClock, SourceHealth, ZeroDetector
from monitor.types import Condition

RATE = 16_000
BLOCK = 160


class Device:
    """Delivers blocks of 10 ms at times that the test sets."""

    def __init__(self) -> None:
        self.clock = ArrivalClock(RATE)
        self.now = 1000.0
        self.lost = 0.0

    def run(self, seconds: float, *, ppm: float = 0.0, every: int = 1) -> None:
        """every: blocks that come at once."""
        for i in range(round(seconds * 100)):
            self.now += 0.01 * (1 + ppm * 1e-6)
            late = 0.01 * (every - 1 - i % every)
            self.lost += self.clock.add(BLOCK, self.now + late) or 0.0

    def burst(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.now += 1e-5
            self.lost += self.clock.add(BLOCK, self.now) or 0.0


def test_steady_audio_is_not_lost():
    device = Device()
    device.run(60)
    assert device.lost == 0.0


@pytest.mark.parametrize("ppm", [-500, -100, 100, 500])
def test_clock_drift_is_not_loss(ppm):
    device = Device()
    device.run(3600, ppm=ppm)
    assert device.lost == 0.0


def test_irregular_delivery_is_not_loss():
    device = Device()
    device.run(5)
    device.run(5, every=10)
    device.run(5)
    assert device.lost == 0.0


@pytest.mark.parametrize("before", [0.02, 0.25, 1.0, 1.13])
def test_a_burst_after_a_stall_is_not_loss(before):
    device = Device()
    device.run(before)
    device.clock.new_window()
    device.now += 3.0
    device.burst(3.0)
    device.run(2.0)
    assert device.lost == 0.0


@pytest.mark.parametrize("before", [0.02, 0.25, 1.0, 1.13])
@pytest.mark.parametrize("gap", [0.25, 0.7, 3.0])
def test_a_gap_is_loss_of_its_length_once(before, gap):
    device = Device()
    device.run(before)
    device.clock.new_window()
    device.now += gap
    device.run(10.0)
    assert device.lost == pytest.approx(gap, abs=0.02)


def test_half_a_burst_is_loss_of_the_other_half():
    device = Device()
    device.run(5)
    device.now += 2.0
    device.burst(1.0)
    device.run(5)
    assert device.lost == pytest.approx(1.0, abs=0.05)


def test_short_jitter_is_not_loss():
    device = Device()
    device.run(5)
    device.now += 0.15
    device.run(1)
    assert device.lost == 0.0


def test_a_steady_trickle_of_loss_is_found():
    device = Device()
    for _ in range(120):
        device.run(0.97)
        device.now += 0.03
    assert device.lost > 1.0


def test_the_first_burst_is_no_measure():
    device = Device()
    device.burst(0.5)
    device.now += 0.5
    device.run(10)
    assert device.lost == pytest.approx(0.5, abs=0.02)


def test_zeros_are_dead_only_after_their_time():
    run = ZeroDetector(0.1)
    assert [run.add(True, 0.04) for _ in range(3)] == [False, False, True]
    assert not run.add(False, 0.04)
    assert not run.add(True, 0.04)


def test_faults_are_told_once_and_recovery_last():
    health = SourceHealth()
    assert health.fault("stalled", "no audio") == [Condition("stalled", "no audio", usable=False)]
    assert health.fault("stalled", "still none") == []
    assert [c.code for c in health.fault("device lost", "gone")] == ["device lost"]
    assert health.recovered("zeros") == []
    assert health.recovered("stalled") == [Condition("device lost", "gone", usable=False)]
    over = health.recovered("device lost", "moved")
    assert [(c.code, c.usable) for c in over] == [("recovered", True)]
    assert "device lost" not in health


def test_the_scripted_source_follows_its_script():
    import numpy as np

    from monitor.errors import SourceError
    from monitor.sources.scripted import ScriptedSource

    chunk = Chunk(np.zeros((2, 10), np.float32), 0, 0.0)
    stalled = Condition("stalled", "no audio", usable=False)
    source = ScriptedSource([chunk, stalled, SourceError("broken"), chunk], ("left", "right"), live=True)
    items = source.chunks()
    assert [next(items), next(items)] == [chunk, stalled]
    with pytest.raises(SourceError, match="broken"):
        next(items)
    assert source.channels == ("left", "right")
    source.close()
    assert list(source.chunks()) == []


def block(value: float, position: int, arrived: float, channels: int = 1) -> CapturedBlock:
    return CapturedBlock(np.full((BLOCK, channels), value, np.float32), position, arrived, 0.0)


def test_an_input_that_rests_is_silent_meanwhile_and_loses_nothing():
    track = ClockedResampler(RATE, 1, 0)
    chunks = list(track.add(block(0.5, 0, 10.0)))
    for now in (10.2, 10.25, 11.0):
        chunks += track.rest(now - 0.1)
    chunks += track.add(block(0.5, BLOCK, 12.0))  # sound again, 0.1 s and more after what was filled in
    for i in range(200):
        chunks += track.add(block(0.5, (2 + i) * BLOCK, 12.01 + i / 100))
    heard = np.concatenate([c.samples for c in chunks], axis=1)[0]
    starts = np.cumsum([0] + [c.samples.shape[1] for c in chunks])
    assert [c.start for c in chunks] == starts[:-1].tolist()
    assert heard.size == pytest.approx(4.01 * RATE, abs=RATE * 0.02)
    assert np.count_nonzero(heard) == 202 * BLOCK
    assert not heard[BLOCK : round(1.99 * RATE)].any()


def test_an_input_that_begins_with_rest_counts_from_there():
    track = ClockedResampler(RATE, 1, 0)
    assert list(track.rest(50.0)) == []
    silence = list(track.rest(52.0))
    assert [(c.start, c.samples.shape[1], c.captured_at) for c in silence] == [(0, 2 * RATE, 52.0)]
    [chunk, *more] = [*track.add(block(0.5, 0, 52.02))]
    assert [(c.start, c.samples.shape[1]) for c in (chunk, *more)] == [(2 * RATE, BLOCK), (2 * RATE + BLOCK, BLOCK)]


def test_system_audio_is_the_mean_of_its_channels():
    track = ClockedResampler(RATE, 1, 0, mix=True)
    samples = np.tile(np.array([0.5, -0.25], np.float32), (BLOCK, 1))
    [chunk] = track.add(CapturedBlock(samples, 0, 1.0, 0.0))
    assert np.array_equal(chunk.samples, np.full((1, BLOCK), 0.125, np.float32))
