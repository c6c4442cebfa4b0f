"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import virtual_mic
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[virtual_mic.VirtualMicrophones]:
    """A private PulseAudio with the microphones of virtual_mic.RATES."""
    if missing := virtual_mic.missing():
        pytest.skip(f"virtual microphones: {missing}")
    server = virtual_mic.VirtualMicrophones(tmp_path_factory.mktemp("pulse"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
