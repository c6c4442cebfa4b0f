"""The thin layer over PortAudio: streams that are opened, closed and counted so that the device list can be renewed."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from monitor.errors import MonitorError, SourceError
from monitor.sources import pulse
from monitor.sources.portaudio_devices import InputDevice, list_inputs, load_sounddevice
from monitor.sources.pulse import PulseSource

T = TypeVar("T")
Callback = Callable[[Any, int, Any, Any], None]
"""callback(float32 (frames, channels), frames, time_info, status), as sounddevice.InputStream calls it."""


class RawStream(Protocol):
    """The part of sounddevice.InputStream that is used."""

    @property
    def active(self) -> bool: ...

    @property
    def why(self) -> str:
        """Return why it is not active any more; "" where nothing can be said."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """Gives a source its devices and streams."""

    def inputs(self) -> list[InputDevice]:
        """Return the inputs as last listed. Raises BadInputError if there are none."""
        ...

    def refresh(self) -> None:
        """List the devices anew, if nothing prevents it."""
        ...

    def open(
        self, device: InputDevice, rate: int, channels: int, block: int, callback: Callback, ended: Callable[[], None]
    ) -> RawStream:
        """Open and start a stream. Raises SourceError."""
        ...

    def captures(self) -> dict[int, int]:
        """See monitor.sources.pulse.captures()."""
        ...

    def pulse_source(self, index: int) -> PulseSource | None:
        """See monitor.sources.pulse.source()."""
        ...

    def default_source(self) -> PulseSource | None:
        """Return the default device now, for a source that follows it; None where it cannot be found out."""
        ...


class PortAudio:
    """The real backend."""

    _lock = threading.Lock()
    _in_use = 0

    def inputs(self) -> list[InputDevice]:
        return list_inputs()

    def refresh(self) -> None:
        # PortAudio looks for devices only when it starts, and restarting it would end all open streams.
        sounddevice = load_sounddevice()
        with PortAudio._lock:
            if PortAudio._in_use:
                return
            try:
                with contextlib.suppress(sounddevice.PortAudioError):  # it may not run, after a failed start
                    sounddevice._terminate()
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise SourceError(f"PortAudio does not start: {error}", "restart the sound server") from error

    def open(
        self, device: InputDevice, rate: int, channels: int, block: int, callback: Callback, ended: Callable[[], None]
    ) -> RawStream:
        sounddevice = load_sounddevice()
        # Ending PortAudio at exit would wait for streams that hang in a dead sound server.
        atexit.unregister(sounddevice._exit_handler)
        with PortAudio._lock:
            PortAudio._in_use += 1
        stream = None
        try:
            stream = sounddevice.InputStream(
                device=device.index,
                samplerate=rate,
                channels=channels,
                blocksize=block,
                # Two blocks: less overruns under load, more arrives in bursts.
                latency=2 * block / rate,
                dtype="float32",
                callback=callback,
                finished_callback=ended,
            )
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            if stream is not None:
                stream.close()
            PortAudio._released()
            reason = str(error).partition(" [PaErrorCode")[0]
            raise SourceError(
                f"{device.name} cannot be opened: {reason}", "close other programs that use it"
            ) from error
        return _Stream(stream)

    def captures(self) -> dict[int, int]:
        return pulse.captures(os.getpid())

    def pulse_source(self, index: int) -> PulseSource | None:
        return pulse.source(index)

    def default_source(self) -> PulseSource | None:
        return None

    @staticmethod
    def _released() -> None:
        with PortAudio._lock:
            PortAudio._in_use -= 1


class _Stream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._closed = False

    @property
    def active(self) -> bool:
        return bool(self._stream.active)

    @property
    def why(self) -> str:
        return ""

    def close(self) -> None:
        with PortAudio._lock:
            if self._closed:
                return
            self._closed = True
        self._stream.abort()
        self._stream.close()
        PortAudio._released()


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Run what may hang with the sound server in a thread that nobody has to wait for."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except MonitorError as error:
            future.set_exception(error)
        finally:
            if not future.done():
                future.set_exception(SourceError("the sound system failed", "see the traceback"))

    threading.Thread(target=run, name="portaudio", daemon=True).start()
    return future


class _Silence:
    """Counts who asks for silence on stderr, and holds a copy of what it was before."""

    lock = threading.Lock()
    wanted = 0
    saved: int | None = None

    @classmethod
    def begin(cls) -> None:
        with cls.lock:
            cls.wanted += 1
            if cls.wanted > 1:
                return
            with contextlib.suppress(OSError):  # stderr may be closed
                cls.saved = os.dup(2)
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 2)
                os.close(null)

    @classmethod
    def end(cls) -> None:
        with cls.lock:
            cls.wanted -= 1
            if cls.wanted == 0 and cls.saved is not None:
                os.dup2(cls.saved, 2)
                os.close(cls.saved)
                cls.saved = None


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2, on which ALSA and PortAudio write across any dashboard when an opening fails."""
    _Silence.begin()
    try:
        yield
    finally:
        _Silence.end()
