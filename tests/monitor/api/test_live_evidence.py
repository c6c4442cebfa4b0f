"""Evidence of an alert that is still open, as a program gets it while the call goes on."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from helpers import make_detector, make_scorer, voice
from starlette.responses import Response, StreamingResponse

from monitor.api.call_routes import get_call
from monitor.api.context import ApiContext
from monitor.api.evidence_routes import get_audio, get_spectrogram
from monitor.api.roles import EVERYTHING
from monitor.call_history.kept_call import call_id
from monitor.call_history.recent_calls import RecentCalls
from monitor.call_history.recent_calls_sink import RecentCallsSink
from monitor.config.schema import Config
from monitor.engine.loop import Engine
from monitor.engine.pool import Pool
from monitor.engine.ring_bank import RingBank
from monitor.events.bus import Bus
from monitor.serve.call_router import CallRouter
from monitor.session.setup import start_sinks
from monitor.sinks.evidence_sink import EvidenceSink
from monitor.taps.tap_events import CallAudio, CallStarted
from monitor.types import SAMPLE_RATE

EPOCH, LIMIT_S = "live", 30.0


def body(response: Response) -> bytes:
    if not isinstance(response, StreamingResponse):
        return bytes(response.body)

    async def whole() -> bytes:
        return b"".join([bytes(part) async for part in response.body_iterator])

    return asyncio.run(whole())


def eventually(ask: Callable[[], Any]) -> Any:
    until = time.monotonic() + LIMIT_S
    while not (found := ask()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_an_open_alert_is_heard_while_its_call_goes_on(tmp_path: Path) -> None:
    kept = {"path": str(tmp_path / "evidence"), "before_s": 3.0, "after_s": 1.0}
    config = Config.model_validate({"evidence": {"memory_s": 1.5}, "evidence_store": kept})
    calls = RecentCalls(EPOCH, 60.0, 10)
    sinks = [EvidenceSink(config, EPOCH), RecentCallsSink(calls)]
    with Bus(sinks, epoch=EPOCH) as bus:
        pool = Pool(make_scorer(make_detector(), 2), config)
        engine = Engine(pool, RingBank(2, 30.0), bus, config, serving=True)
        start_sinks(sinks, engine)
        router = CallRouter(engine, 1, idle_s=60.0)
        context = ApiContext(config, calls, engine.post, engine.heartbeat_figures, "")
        scoring = threading.Thread(target=engine.run, daemon=True)
        scoring.start()
        audio = np.concatenate([voice(4.0), voice(6.0, hiss=True)])
        router.deliver(CallStarted("a", "test", ("caller",), SAMPLE_RATE))
        router.deliver(CallAudio("a", 0, 0, audio))

        def call() -> dict[str, Any]:
            with calls.locked():
                known = calls.call(call_id(EPOCH, "a")) is not None
            return json.loads(body(get_call(context, EVERYTHING, call_id(EPOCH, "a")))) if known else {}

        (evidence,) = eventually(lambda: call().get("evidence"))
        result = call()
        assert (result["ended"], result["alerts"][0]["closed_s"], evidence["alert"]) == (
            None,
            None,
            result["alerts"][0]["id"],
        )
        (clip,) = evidence["audio"]
        wav = get_audio(context, EVERYTHING, result["id"], evidence["id"])
        samples, rate = soundfile.read(io.BytesIO(body(wav)), dtype="float32")
        first = round(clip["start_s"] * SAMPLE_RATE)
        assert (rate, clip["end_s"] - clip["start_s"], clip["missing_s"]) == (SAMPLE_RATE, 4.0, 0.0)
        np.testing.assert_allclose(samples, audio[first : first + len(samples)], atol=2**-15)
        assert get_spectrogram(context, EVERYTHING, result["id"], evidence["id"]).media_type == "image/png"
        router.close()
        engine.stop()
        scoring.join(LIMIT_S)
        context.close()
