"""A live monitor for deepfake speech: score recordings, score audio as it comes, receive the alerts of a monitor.

import monitor

for score in monitor.score_file("call.wav"):
    print(score.channel, score.state, score.p_fake)

with monitor.open_stream(sample_rate=8000) as stream:
    for frame in frames:
        for event in stream.push(frame):
            print(event.type, event.data)

with monitor.Subscriber("tcp://127.0.0.1:5556", topics=["alert."]) as subscriber:
    for item in subscriber:
        print(item)

Each name is loaded when it is first used: importing the package alone loads nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""The name in typing, which takes so long to load that a Ctrl-C meanwhile would be a traceback."""
if TYPE_CHECKING:
    from monitor.errors import BadInputError, ConfigError, MonitorError, SinkError, SourceError, WeightsError
    from monitor.events.sink import Sink
    from monitor.scores import ChannelScore, FileScore, Segment
    from monitor.session.file_scorer import score_file, score_files
    from monitor.session.pushed_stream import Stream, open_stream
    from monitor.subscriber import (
        Item,
        KeyPair,
        Message,
        Missed,
        Position,
        Refused,
        Restarted,
        Returned,
        Silent,
        Subscriber,
        Unreadable,
    )
    from monitor.types import Event, Mark, State

__all__ = [
    "BadInputError",
    "ChannelScore",
    "ConfigError",
    "Event",
    "FileScore",
    "Item",
    "KeyPair",
    "Mark",
    "Message",
    "Missed",
    "MonitorError",
    "Position",
    "Refused",
    "Restarted",
    "Returned",
    "Segment",
    "Silent",
    "Sink",
    "SinkError",
    "SourceError",
    "State",
    "Stream",
    "Subscriber",
    "Unreadable",
    "WeightsError",
    "open_stream",
    "score_file",
    "score_files",
]

_PLACES = {
    "monitor.errors": ("BadInputError", "ConfigError", "MonitorError", "SinkError", "SourceError", "WeightsError"),
    "monitor.events.sink": ("Sink",),
    "monitor.scores": ("ChannelScore", "FileScore", "Segment"),
    "monitor.session.file_scorer": ("score_file", "score_files"),
    "monitor.session.pushed_stream": ("Stream", "open_stream"),
    "monitor.types": ("Event", "Mark", "State"),
}
_MODULES = dict.fromkeys(__all__, "monitor.subscriber") | {
    name: module for module, names in _PLACES.items() for name in names
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'monitor' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
