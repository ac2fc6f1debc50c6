"""Let an object prepare for `os.fork`, and let the child and the parent know afterwards.

Python keeps fork handlers for good and without a way to take one back, so there is one set of them per
process, registered with the first object that asks. It holds its objects weakly: one that is collected is not
told.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

# These count the threads for their warning after the handlers have run, also those that a handler has started
# (CPython issue 137109, mended in the later releases of both).
COUNTS_LATE = (3, 13) <= sys.version_info[:2] <= (3, 14)


class Forking(Protocol):
    """Something that must know of a fork of this process; its methods must return soon and raise nothing."""

    def before_fork(self) -> None:
        """Prepare; called in the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Go on; called in the thread that forked, just before or just after `os.fork` returns to it."""

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's."""


def follow(owner: Forking) -> None:
    """Tell `owner` of every fork from now on, as long as it lives; systems without fork have none to tell."""
    _followers().add(owner)


@functools.cache
def _followers() -> weakref.WeakSet[Forking]:
    followers: weakref.WeakSet[Forking] = weakref.WeakSet()

    def tell(method: str) -> None:
        for owner in list(followers):
            getattr(owner, method)()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lambda: tell("before_fork"), after_in_child=lambda: tell("after_fork_in_child")
        )
        in_parent = functools.partial(tell, "after_fork_in_parent")
        if COUNTS_LATE:
            _register_late(in_parent)
        else:
            os.register_at_fork(after_in_parent=in_parent)
    return followers


def _register_late(in_parent: Callable[[], None]) -> None:
    """Have the main thread call `in_parent` as soon as its `os.fork` has returned; another thread, before.

    What the interpreter is asked to do when it is back in Python code waits until then only if no Python code
    runs in between, so the handler that asks is one of C, and the last.
    """
    import ctypes

    owed: list[None] = []

    def now_or_later() -> None:
        if threading.current_thread() is threading.main_thread():
            owed.append(None)
        else:  # there are two threads at least, so the warning is due
            in_parent()

    def later(_: object) -> int:
        if owed:
            owed.pop()
            in_parent()
        return 0

    called_later = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(later)
    os.register_at_fork(after_in_parent=now_or_later, after_in_child=owed.clear)
    os.register_at_fork(
        after_in_parent=functools.partial(ctypes.pythonapi.Py_AddPendingCall, called_later, None)
    )
