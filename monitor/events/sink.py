"""The base class of every destination of events, with each hook and its default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

from monitor.types import Event

if TYPE_CHECKING:
    from monitor.audio import Blocks


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """The state of one sink. fault: why it is not ok, or "". dropped: events that it will never get. kept: events that
    it gets when the program runs again.
    """

    name: str
    ok: bool
    fault: str
    queued: int
    dropped: int
    emitted: int
    kept: int = 0

    @property
    def fault_words(self) -> str:
        """Return the fault and how many events wait for the sink, in words; "" while it works."""
        if self.ok:
            return ""
        return f"{self.name}: {self.fault}" + (f"; {self.queued} wait" if self.queued else "")


@dataclass(frozen=True, slots=True)
class RunContext:
    """Facts about the running program that a sink may ask for, from any thread.

    weights_hash: SHA-256 of the weights, hexadecimal. heartbeat_figures: latencies in ms, audio lost and waiting in s,
    faults. statuses: of every sink.
    """

    weights_hash: str
    heartbeat_figures: Callable[[], Mapping[str, object]]
    statuses: Callable[[], Sequence[SinkStatus]]


class AudioRecorder(Protocol):
    """Takes the audio that is scored and the events that stand in it, in order, in the scoring thread."""

    def add_blocks(self, blocks: Blocks) -> None:
        """Take the audio of one turn, before it is scored."""

    def add_event(self, rows: slice, event: Event) -> None:
        """Take an event of the call in these rows, before it is published and numbered."""


class Sink(ABC):
    """A destination of events. A new one is a subclass with name and emit(), a line in the registry and a test.

    emit(), tick(), tick_in_s(), wait() and close() run in one thread of the sink's own. The other methods are called
    elsewhere and must not wait.
    """

    name: str

    write_ahead: bool = False
    """Every other sink gets an event only once this one has it. One sink may be so."""

    waits: bool = False
    """It waits for more than events, such as for what peers send: wait() and wake() are its own."""

    keeps_events: bool = False
    """What was not emitted at the end is on disk, and is emitted when the program runs again."""

    def start(self, run: RunContext) -> None:
        """Learn what to ask of the program. Called once, after events may have come."""
        _ = run

    def wants(self, event: Event) -> bool:
        """Return whether to queue the event for this sink; asked in the publisher's thread."""
        _ = event
        return True

    def undelivered(self) -> Sequence[Event]:
        """Return the events of a former run, which are emitted before all others."""
        return ()

    def warning(self) -> str:
        """Return one line of what had to be repaired when the sink was opened, or ""."""
        return ""

    def announcement(self) -> Mapping[str, object] | None:
        """Return the data of a health event that the other sinks are to get, once; None where there is none. Asked in
        the sink's own thread after each tick(), and after close().
        """
        return None

    def audio_recorder(self) -> AudioRecorder | None:
        """Return who takes the audio that is scored; None for a sink of events alone."""
        return None

    def observe_latency(self, seconds: float) -> None:
        """Take the latency of one step of live audio, from capture to score, in the scoring thread."""
        _ = seconds

    @abstractmethod
    def emit(self, event: Event) -> None:
        """Take one event. Raises monitor.errors.SinkError for a fault; the event is then offered again."""

    def tick(self) -> None:
        """Do what is due by the clock, such as a heartbeat, or what wait() returned for. Raises SinkError."""
        return

    def tick_in_s(self) -> float:
        """Return how long from now tick() is due at the latest, asked after each tick(). While events come one after
        another it is called more often.
        """
        return inf

    def wait(self, timeout_s: float) -> bool:
        """Return at once when wake() was called, or when there is something for tick(), and then True. Asked while no
        event waits, where `waits` is set.
        """
        raise NotImplementedError

    def wake(self) -> None:
        """End wait(). Any thread may call it."""
        raise NotImplementedError

    def close(self) -> None:
        """Write out what is held and release everything. May be called twice."""
        return
