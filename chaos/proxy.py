"""A network between two ends of this machine that can be cut, slowed down, or made to swallow what it is given."""

from __future__ import annotations

import asyncio
import threading
from typing import Literal

Mode = Literal["pass", "delay", "hold", "swallow"]
DELAY_S, HOLD_S = 0.03, 0.01


class Proxy:
    """Listens on a free port of the loopback address. mode may be changed from any thread, and cut() called."""

    def __init__(self, target_port: int) -> None:
        self.mode: Mode = "pass"
        self.port = 0
        self._target = target_port
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self._ready.wait(10.0)

    @property
    def address(self) -> str:
        """Return the address for ZeroMQ."""
        return f"tcp://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(self._abort)

    def close(self) -> None:
        """Cut, and listen no more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._abort()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):  # close() cancels
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            while self.mode == "hold":
                await asyncio.sleep(HOLD_S)
            if self.mode == "swallow":
                continue
            if self.mode == "delay":
                await asyncio.sleep(DELAY_S)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
