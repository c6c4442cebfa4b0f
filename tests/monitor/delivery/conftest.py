"""A publisher for the tests of its stream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from zeromq_publisher import Publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    running = Publisher(latency_p50_ms=1.5)
    yield running
    running.bus.close()
