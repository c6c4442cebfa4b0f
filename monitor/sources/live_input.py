"""Live capture from an input that comes back by itself, whatever happens to the device: a microphone, system audio.

The callback of the audio thread copies and counts (device_stream.py). All else happens in the thread that iterates
over chunks(): resampling, and telling from the blocks and the clock what is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from queue import Empty
from typing import Any

from monitor.audio import Chunk
from monitor.config.schema import InputSection
from monitor.errors import BadInputError, MonitorError
from monitor.sources.device_clock import ClockedResampler
from monitor.sources.device_kind import MICROPHONE, DeviceKind
from monitor.sources.device_stream import (
    CapturedBlock,
    DeviceCapture,
    RouteWatch,
    StreamRequest,
    close_late,
    open_first,
    reopen,
)
from monitor.sources.portaudio import Backend, PortAudio, in_thread, quiet_stderr
from monitor.sources.portaudio_devices import DEFAULT_NAMES
from monitor.sources.stall_detection import SourceHealth, ZeroDetector
from monitor.types import SAMPLE_RATE, Condition

POLL_S = 0.05
ANSWER_WAIT_S = 3.0
CLOSE_WAIT_S = 0.3
FIRST_BLOCK_S = 3.0
"""Bluetooth microphones take up to two seconds to start; silence after that is a stall."""
OVERFLOW_EVERY_S = 1.0
GENERIC_NAMES = (*DEFAULT_NAMES, "pulse", "pipewire", "sysdefault")
"""Devices that follow the sound server's choice: a move is information, not a fault."""
REST_S = 0.1
"""An input that rests was silent where nothing came for so long."""

Items = Iterator[Chunk | Condition]


class DeviceSource:
    """Captures at the device's own rate and channels.

    device: index, name or part of a name; "mic" or "default" is the backend's default. kind: what is normal for it.
    rate in Hz, channels: other than the device's own. The constructor opens the device; raises BadInputError.

    Conditions: "stalled" (suspended, or a server that hangs), "device lost", "zeros" and "moved" make the audio
    unusable until "recovered"; "overflow", and "moved" of a default, do not.
    """

    live = True

    def __init__(
        self,
        device: str,
        config: InputSection,
        *,
        kind: DeviceKind = MICROPHONE,
        rate: int | None = None,
        channels: int | None = None,
        backend: Backend | None = None,
    ) -> None:
        if channels is not None and not 1 <= channels <= config.max_channels:
            raise BadInputError(f"{channels} microphone channels are impossible", "input.max_channels is the most")
        self._config, self._kind = config, kind
        self._backend: Backend = backend or PortAudio()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._opening: Future[DeviceCapture] | None = None
        request = StreamRequest(device, config.block_ms, int(config.ring_s * 1000 / config.block_ms), rate, channels)
        capture = open_first(self._backend, request)
        self._capture: DeviceCapture | None = capture
        self.name = capture.device.name
        self.origin = capture.source.name if capture.source is not None else capture.device.name
        """The source behind the device: two devices may be two names of one source."""
        self.channels = kind.names(capture.channels)
        self._default = device.strip().casefold() in DEFAULT_NAMES
        # Numbers change when devices come and go.
        self._request = replace(request, channels=capture.channels, target=device if self._default else self.name)
        self._generic = self._request.target.strip().casefold() in GENERIC_NAMES
        self._health = SourceHealth()
        self._zeros = ZeroDetector(config.zeros_s)
        self._zeros_retried = False
        self._routes = self._watch()
        self._track: ClockedResampler | None = self._new_track(capture, 0)
        self._lost: DeviceCapture | None = None
        """The stream to close before the next one is opened."""
        self._closings: list[Future[None]] = []
        self._position, self._end_time = 0, 0.0
        self._retry_s, self._next_try, self._asked_at = config.reconnect_first_s, 0.0, 0.0
        self._next_overflow, self._reported = 0.0, (0, 0)

    def _watch(self) -> RouteWatch:
        return RouteWatch(self._backend, self._kind.follows and self._default)

    def _new_track(self, capture: DeviceCapture, position: int) -> ClockedResampler:
        return ClockedResampler(capture.rate, len(self.channels), position, mix=self._kind.mix)

    def chunks(self) -> Items:
        """Yield audio until close(). Faults are conditions; the device is opened again until it is back.

        The start of a chunk jumps over audio that was lost, as far as the clock can tell.
        """
        if self._capture is not None:
            self._capture.discard()  # from before anybody listened, as what was dropped then
            self._reported = self._capture.overflows, self._capture.dropped
        try:
            while not self._closed.is_set():
                capture = self._capture
                yield from self._reconnect() if capture is None else self._listen(capture)
        finally:
            self.close()

    def close(self) -> None:
        """End chunks() and let go of the device. Whoever calls it waits until that is done, or the server hangs."""
        self._closed.set()
        with self._lock:
            captures = [c for c in (self._capture, self._lost) if c is not None]
            self._closings += [in_thread(capture.close) for capture in captures]
            pending: list[Future[Any]] = [*self._closings]
            if self._opening is not None:
                self._opening.add_done_callback(close_late)
                pending.append(self._opening)
            self._capture = self._lost = self._opening = None
        wait(pending, CLOSE_WAIT_S)

    def _listen(self, capture: DeviceCapture) -> Items:
        try:
            block = capture.blocks.get(timeout=POLL_S)
        except Empty:
            if not self._closed.is_set():
                yield from self._check_stream(capture)
            return
        yield from self._heard(capture, block)
        yield from self._check_route(capture)
        now = time.monotonic()
        if (
            self._capture is capture
            and now >= self._next_overflow
            and (capture.overflows, capture.dropped) != self._reported
        ):
            self._next_overflow = now + OVERFLOW_EVERY_S
            yield self._overflow(capture)

    def _heard(self, capture: DeviceCapture, block: CapturedBlock) -> Items:
        seconds = len(block.samples) / capture.rate
        if self._track is None:
            lost_s = max(0.0, block.arrived - seconds - self._end_time) if self._end_time else 0.0
            self._track = self._new_track(capture, self._position + round(lost_s * SAMPLE_RATE))
            self._retry_s = self._config.reconnect_first_s
        chunks = list(self._track.add(block))
        if not self._track.holding:
            yield from self._health.recovered("stalled", "device lost", "moved")
        zero = bool(self._kind.zeros) and not block.samples.any()
        if self._zeros.add(zero, seconds):
            yield from self._health.fault("zeros", self._kind.zeros)
        elif not zero:
            self._zeros_retried = False
            yield from self._health.recovered("zeros")
        yield from chunks
        if "zeros" in self._health and capture.source is None and not self._zeros_retried:
            # Where nobody can say whether the stream was moved, opening the device again tells.
            self._zeros_retried = True
            yield from self._lose(capture)

    def _check_stream(self, capture: DeviceCapture) -> Items:
        now = time.monotonic()
        silent_s = now - capture.last_callback
        stall_s = self._config.stall_ms / 1000 if capture.heard else FIRST_BLOCK_S
        if not capture.active:
            yield from self._health.fault("device lost", f"{self.name} {capture.why}; tried again until it is back")
            yield from self._lose(capture)
        elif self._kind.rests:
            if silent_s > REST_S and self._track is not None:
                yield from self._track.rest(now - REST_S)
        elif silent_s > stall_s:
            detail = f"no audio from {self.name} for {silent_s:.1f} s: suspended, or the sound server hangs"
            yield from self._health.fault("stalled", detail)
            if self._track is not None:
                self._track.hold()
            if silent_s > stall_s + self._config.reconnect_longest_s:
                yield from self._lose(capture)

    def _check_route(self, capture: DeviceCapture) -> Items:
        found = self._routes.moved(capture)
        if found is None:
            return
        detail = f"the sound server moved the capture to {found.name}"
        if self._kind.follows and self._default:
            detail = f"{found.name} instead of {self.name}: the default output is opened again"
            yield Condition("moved", detail, usable=True)
            yield from self._lose(capture)
        elif self._generic:
            yield Condition("moved", detail, usable=True)
        else:
            yield from self._health.fault("moved", f"{detail}, away from {self.name}")
            yield from self._lose(capture)

    def _overflow(self, capture: DeviceCapture) -> Condition:
        self._reported = capture.overflows, capture.dropped
        losses = [f"{capture.overflows} times the sound card dropped audio"] * (capture.overflows > 0)
        losses += [f"{capture.dropped / capture.rate:.2f} s came faster than they were taken"] * (capture.dropped > 0)
        return Condition("overflow", ", ".join(losses), usable=True)

    def _lose(self, capture: DeviceCapture) -> Items:
        """Give the stream up; _reconnect() closes it and opens another."""
        if self._track is not None:
            yield from self._track.finish()
            self._position, self._end_time = self._track.position, self._track.end_time
        self._track, self._reported, self._routes = None, (0, 0), self._watch()
        with self._lock:
            self._capture, self._lost = None, capture
        self._next_try = 0.0

    def _reconnect(self) -> Items:
        opening = self._opening or self._start_opening()
        if opening is None:
            self._closed.wait(POLL_S)
            return
        try:
            with quiet_stderr():
                capture = opening.result(POLL_S)
        except TimeoutError:
            if time.monotonic() - self._asked_at > ANSWER_WAIT_S:
                yield from self._health.fault("device lost", "the sound server does not answer")
        except MonitorError as error:
            self._opening = None
            self._next_try = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, self._config.reconnect_longest_s)
            yield from self._health.fault("device lost", f"{error.message}; tried again until it is back")
        else:
            self.name = capture.device.name
            with self._lock:
                self._opening, self._capture = None, capture

    def _start_opening(self) -> Future[DeviceCapture] | None:
        now = time.monotonic()
        with self._lock:
            if now < self._next_try or self._closed.is_set():
                return None
            lost, self._lost = self._lost, None
            self._opening = in_thread(lambda: reopen(self._backend, self._request, lost))
            self._asked_at = now
            return self._opening
