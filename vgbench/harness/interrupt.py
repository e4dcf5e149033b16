"""Ctrl-C and the signals that end a run: the first lets what runs now finish, the second ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A run that a signal stopped; everything that it had measured is kept.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class Interrupts:
    """What the run has been asked by signals.

    A handler only notes it: an exception raised from one, in the middle of a lock, can leave that lock taken for good.

    Attributes:
        stopping: to stop after what runs now.
        at_once: to stop now.
        signal: the last one.
    """

    def __init__(self, asked: Callable[[], None]) -> None:
        self.stopping = self.at_once = False
        self.signal: int = signal.SIGINT
        self._asked = asked

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the first Ctrl-C asks to stop after what runs now, all others to stop at once."""
        self.signal = number
        self.at_once = number != signal.SIGINT or self.stopping
        if not self.stopping:
            self.stopping = True
            if not self.at_once:
                self._asked()


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
