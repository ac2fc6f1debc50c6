"""How a run ends: at its end, or before it by Ctrl-C, SIGTERM, its limit of energy, or an error of pytest's.

`came_to_its_end` decides, and nothing else does: whether the run is judged, whether its file says `finished`,
whether its journal gets an end or `--energy-resume` may go on with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

HEARD_WITHIN_SECONDS = 2.0

TERMINATED = pytest.StashKey[bool]()
STOPPED = pytest.StashKey[bool]()
REMINDER = pytest.StashKey["_Reminder"]()


def came_to_its_end(session: pytest.Session) -> bool:
    """Tell, once the tests are over, whether all that were asked for have run, well or not."""
    # pytest's own reasons to leave tests out: -x and --maxfail, and a plugin that stops the session.
    stopped = session.config.stash.get(STOPPED, False) or session.shouldfail or session.shouldstop
    return not stopped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def stop(config: pytest.Config) -> None:
    """Say that cases are left out that were asked for: the run does not come to its end any more."""
    config.stash[STOPPED] = True


def set_exit_code(session: pytest.Session) -> None:
    """Give a run that was stopped the exit code of an interruption."""
    if session.config.stash.get(STOPPED, False) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.INTERRUPTED


@contextlib.contextmanager
def sigterm_as_interrupt(config: pytest.Config) -> Iterator[None]:
    """Give SIGTERM the end that Ctrl-C has: this case is lost, the run's file is written.

    Python loses an exception that a handler raises inside `__del__` or a callback, and a scheduler sends one
    SIGTERM only. So the signal is sent again until it was heard, at the latest once the case is over.
    """
    owner, reminder = os.getpid(), _Reminder()
    config.stash[REMINDER] = reminder

    def interrupt(number: int, _: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked worker dies of SIGTERM as it would without us
            os._exit(128 + number)
        config.stash[TERMINATED] = True
        reminder.start()
        raise KeyboardInterrupt("SIGTERM")

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
        if config.stash.get(TERMINATED, False):
            raise KeyboardInterrupt("SIGTERM")
    finally:
        reminder.stop()
        signal.signal(signal.SIGTERM, previous)


class _Reminder:
    """Sends this process SIGTERM once more, some time after it was started, unless it was stopped."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        self.stop()
        self._timer = threading.Timer(HEARD_WITHIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def interruption(config: pytest.Config) -> KeyboardInterrupt | None:
    """Return the interrupt that SIGTERM meant, whatever exception came of it; it was heard now.

    A scheduler sends SIGTERM to a job's loader workers, too; torch then raises that a worker died.
    """
    if not config.stash.get(TERMINATED, False):
        return None
    config.stash[REMINDER].stop()
    return KeyboardInterrupt("SIGTERM")
