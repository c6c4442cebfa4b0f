"""A source over a PortAudio without devices, for the tests of its faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_backend import FakeBackend, Listening

from monitor.config.schema import InputSection
from monitor.sources.live_input import DeviceSource


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def start(backend: FakeBackend, device: str = "mic", config: InputSection | None = None, **kw: Any) -> Listening:
        config = config or InputSection(reconnect_first_s=0.05, reconnect_longest_s=0.2)
        made.append(Listening(DeviceSource(device, config, backend=backend, **kw)))
        return made[-1]

    yield start
    for listening in made:
        listening.source.close()
        listening.thread.join(5)
        assert not listening.thread.is_alive()
