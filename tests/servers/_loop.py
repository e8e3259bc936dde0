"""An asyncio event loop in a background thread, for servers and devices beside a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STOP_SECONDS = 15.0


class LoopThread:
    """Runs coroutines of one object in one thread; `stop()` cancels what is left and joins the thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the thread and return its result; `timeout` in seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def soon(self, function: Callable[[], object]) -> None:
        """Have a plain function called in the thread, without waiting for it."""
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """End the loop and the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)
