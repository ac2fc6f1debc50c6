"""Let an object prepare for `os.fork`, and let the child and the parent know afterwards.

Python keeps fork handlers for good and without a way to take one back, so there is one set of them per
process, registered with the first object that asks. It holds its objects weakly: one that is collected is not
told.
"""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Forking(Protocol):
    """Something that must know of a fork of this process; its methods must return soon and raise nothing."""

    def before_fork(self) -> None:
        """Prepare; called in the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Go on; called in the thread that forked."""

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
            before=lambda: tell("before_fork"),
            after_in_parent=lambda: tell("after_fork_in_parent"),
            after_in_child=lambda: tell("after_fork_in_child"),
        )
    return followers
