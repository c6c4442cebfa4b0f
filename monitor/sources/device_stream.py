"""One open stream of an input: its callback, its queue, and how it is opened at the device's own rate."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple

from monitor.audio import Audio
from monitor.errors import BadInputError, MonitorError, SourceError
from monitor.sources.portaudio import Backend, RawStream, in_thread, quiet_stderr
from monitor.sources.portaudio_devices import InputDevice, find_input
from monitor.sources.pulse import PulseSource

OPEN_WAIT_S = 10.0
"""How long the first opening may take; a sound server that is stopped never answers."""
ROUTE_EVERY_S = 1.0
LONGEST_AGE_S = 0.5
"""PortAudio's word on how old a block is counts up to here; some hosts report nonsense."""


class CapturedBlock(NamedTuple):
    """samples: float32 (frames, channels). position: frames before it, dropped ones included. arrived: monotonic
    seconds. age_s: of its last sample when it arrived."""

    samples: Audio
    position: int
    arrived: float
    age_s: float


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A device stream to open. rate in Hz and channels: None is as the device has it."""

    target: str
    block_ms: int
    capacity: int
    rate: int | None = None
    channels: int | None = None


class DeviceCapture:
    """The callback copies, counts and returns; capacity blocks are held, newer ones are dropped and counted."""

    def __init__(self, device: InputDevice, rate: int, channels: int, capacity: int) -> None:
        self.device, self.rate, self.channels = device, rate, channels
        self.blocks: SimpleQueue[CapturedBlock] = SimpleQueue()
        self.overflows = 0
        self.dropped = 0
        self.finished = False
        self.heard = False
        self.last_callback = time.monotonic()
        self.route: tuple[int, int] | None = None
        """Indices of the capture and its source in PulseAudio."""
        self.source: PulseSource | None = None
        self._capacity = capacity
        self._position = 0
        self._stream: RawStream | None = None

    def open(self, backend: Backend, block_ms: int) -> None:
        """Start. Raises SourceError."""
        block = self.rate * block_ms // 1000
        self._stream = backend.open(self.device, self.rate, self.channels, block, self.callback, self.ended)
        self.last_callback = time.monotonic()

    def callback(self, samples: Any, frames: int, time_info: Any, status: Any) -> None:
        now = time.monotonic()
        self.heard, self.last_callback = True, now
        if status.input_overflow:
            self.overflows += 1
        if self.blocks.qsize() < self._capacity:
            age = time_info.currentTime - time_info.inputBufferAdcTime - frames / self.rate
            age = age if 0.0 < age < LONGEST_AGE_S else 0.0
            self.blocks.put(CapturedBlock(samples.copy(), self._position, now, age))
        else:
            self.dropped += frames
        self._position += frames

    def ended(self) -> None:
        self.finished = True

    def discard(self) -> None:
        """Forget what came so far."""
        while not self.blocks.empty():
            self.blocks.get()

    @property
    def active(self) -> bool:
        return not self.finished and self._stream is not None and self._stream.active

    @property
    def why(self) -> str:
        """Return why it is not active any more, as far as that is known."""
        return (self._stream.why if self._stream is not None else "") or "went away"

    def close(self) -> None:
        """Stop; may hang while the sound server does not answer."""
        if self._stream is not None:
            self._stream.close()


def open_capture(backend: Backend, request: StreamRequest) -> DeviceCapture:
    """Find and open what is wished for. Raises BadInputError (no such device) or SourceError (it cannot be opened).

    Where PulseAudio tells the true rate and channels of the source, the stream is opened again with those: a capture
    at the source's own rate is not resampled on the way.
    """
    device = find_input(request.target, backend.inputs())
    # Virtual devices offer dozens of channels that they make from one or two.
    channels = min(request.channels or (device.channels if device.channels <= 2 else 1), device.channels)
    before = set(backend.captures())
    capture = DeviceCapture(device, request.rate or device.rate, channels, request.capacity)
    capture.open(backend, request.block_ms)
    _find_route(capture, backend, before)
    if capture.source is None:
        return capture
    own = request.rate or capture.source.rate, request.channels or min(capture.source.channels, 2)
    if own == (capture.rate, capture.channels):
        return capture
    capture.close()
    capture = DeviceCapture(device, *own, request.capacity)
    capture.open(backend, request.block_ms)
    _find_route(capture, backend, before)
    return capture


def open_first(backend: Backend, request: StreamRequest) -> DeviceCapture:
    """Call open_capture() for the first time: every fault is a BadInputError, one that takes too long is given up."""
    opening = in_thread(lambda: open_capture(backend, request))
    try:
        with quiet_stderr():
            return opening.result(OPEN_WAIT_S)
    except TimeoutError as error:
        opening.add_done_callback(close_late)
        raise BadInputError("the sound system does not answer", "restart the sound server") from error
    except SourceError as error:
        raise BadInputError(error.message, error.hint) from error


def close_late(opening: Future[DeviceCapture]) -> None:
    """Close a stream that opened after nobody waited for it any more."""
    if opening.exception() is None:
        opening.result().close()


def reopen(backend: Backend, request: StreamRequest, old: DeviceCapture | None) -> DeviceCapture:
    """Close the old stream and open a new one, with a fresh look at the devices if the first try fails."""
    if old is not None:
        old.close()
    try:
        return open_capture(backend, request)
    except MonitorError:
        backend.refresh()
        return open_capture(backend, request)


def _find_route(capture: DeviceCapture, backend: Backend, before: set[int]) -> None:
    new = {index: source for index, source in backend.captures().items() if index not in before}
    if len(new) == 1:
        capture.route = next(iter(new.items()))
        capture.source = backend.pulse_source(capture.route[1])


class RouteWatch:
    """Asks the sound server now and then, in a thread, whether a capture still hears what it should.

    follow: it should hear whatever is the default at the time.
    """

    def __init__(self, backend: Backend, follow: bool) -> None:
        self._backend, self._follow = backend, follow
        self._next = time.monotonic() + ROUTE_EVERY_S
        self._answer: Future[PulseSource | None] | None = None

    def moved(self, capture: DeviceCapture) -> PulseSource | None:
        """Return the source that the capture was moved to, or should move to, once; None otherwise."""
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            return answer.result()
        watched = capture.route is not None or self._follow
        if watched and self._answer is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + ROUTE_EVERY_S
            self._answer = in_thread(lambda: self._ask(capture))
        return None

    def _ask(self, capture: DeviceCapture) -> PulseSource | None:
        default = self._backend.default_source() if self._follow else None
        if default is not None and default.name != capture.device.name:
            return default
        if capture.route is None:
            _find_route(capture, self._backend, set())  # the server was too busy to answer before
            return None
        stream, source = capture.route
        current = self._backend.captures().get(stream, source)
        found = None if current == source else self._backend.pulse_source(current)
        if found is not None:
            capture.route = stream, current
        return found
