"""What stands in for lost audio is like the voice around it, and never anything worse than silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rtp_senders import voice

from monitor.audio import Audio
from monitor.rtp.conceal import LONGEST_S, conceal
from monitor.rtp.sound import NOTHING, DecodedAudio, join


def between(audio: Audio, at: int, n: int, rate: int) -> Audio:
    return conceal(audio[:at], audio[at + n : at + n + rate // 50], n, rate)


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
@pytest.mark.parametrize("lost_ms", [10, 20, 40, 60])
def test_a_voice_goes_on(rate: int, lost_ms: int) -> None:
    spoken, n = voice(rate), rate * lost_ms // 1000
    places = range(rate // 4, len(spoken) - 2 * n, rate // 7)
    truth = np.concatenate([spoken[at : at + n] for at in places])
    made = np.concatenate([between(spoken, at, n, rate) for at in places])
    correlation = np.corrcoef(truth, made)[0, 1]
    assert correlation > {10: 0.9, 20: 0.85, 40: 0.65, 60: 0.45}[lost_ms]
    assert 0.5 < made.std() / truth.std() < 1.1


def test_both_sides_are_better_than_one() -> None:
    spoken, n = voice(8000), 160
    places = range(2000, 15_000, 1100)
    truth = np.concatenate([spoken[at : at + n] for at in places])
    both = np.concatenate([between(spoken, at, n, 8000) for at in places])
    one = np.concatenate([conceal(spoken[:at], spoken[:0], n, 8000) for at in places])
    assert np.square(both - truth).mean() < 0.7 * np.square(one - truth).mean()


def test_a_long_loss_fades_to_silence() -> None:
    made = conceal(voice(8000), voice(8000), 1600, 8000)
    assert np.abs(made[:80]).max() > 0.05
    assert np.abs(made[round(LONGEST_S * 8000) :]).max() < 1e-6
    loud = np.sqrt(np.square(made[:480].reshape(6, 80)).mean(1))
    assert (np.diff(loud[1:]) < 0).all()


@given(
    st.integers(0, 700),
    st.integers(0, 400),
    st.integers(0, 600),
    st.sampled_from([8000, 16_000]),
    st.integers(0, 2**32),
)
def test_whatever_is_there_it_is_finite_and_no_louder(b: int, a: int, n: int, rate: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = (rng.uniform(-1, 1, size).astype(np.float32) for size in (b, a))
    before[rng.random(b) < 0.1] = np.nan
    made = conceal(before, after, n, rate)
    assert made.shape == (n,)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert np.abs(made).max(initial=0.0) <= 1.0


def test_silence_stays_silent() -> None:
    assert not conceal(np.zeros(400, np.float32), np.zeros(160, np.float32), 160, 8000).any()


def test_sounds_are_joined_with_their_marks() -> None:
    plain, nan = DecodedAudio(np.ones(3, np.float32)), DecodedAudio(np.array([np.nan, 1], np.float32))
    made_up = DecodedAudio(np.ones(2, np.float32), np.array([False, True]))
    assert join([]) is NOTHING
    assert join([NOTHING, plain]) is plain
    assert join([plain, nan]).concealed is None
    whole = join([plain, made_up, nan])
    assert whole.lost.tolist() == [False] * 4 + [True, True, False]
    assert whole.after(4).lost.tolist() == [True, True, False]
