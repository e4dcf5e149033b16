"""Ctrl-C and the signals that end a run: the first lets what runs now finish, the second ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A run that was told to stop; everything that it had measured is kept.

    Attributes:
        signal: that told it.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class Interrupts:
    """Whether the run has been asked to stop after what runs now."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self.stopping = False
        self.signal: int = signal.SIGINT
        self._asked = asked

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the first Ctrl-C asks, all others end at once."""
        self.signal = number
        if number == signal.SIGINT and not self.stopping:
            self.stopping = True
            self._asked()
        else:
            raise KeyboardInterrupt


@contextmanager
def interrupts(asked: Callable[[], None]) -> Iterator[Interrupts]:
    """Handle SIGINT and SIGTERM in here, where this is the main thread; elsewhere nobody interrupts.

    Args:
        asked: is called when the run is asked to stop.
    """
    handler = Interrupts(asked)
    if threading.current_thread() is not threading.main_thread():
        yield handler
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield handler
    finally:
        for number, old in before.items():
            signal.signal(number, old)
