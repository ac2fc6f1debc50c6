"""Which choices of a Recipe exclude each other, and why."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.recipe import Recipe


def refuse(recipe: "Recipe") -> None:
    """Refuse a recipe whose choices make no sense together.

    Raises:
        ValueError: with what was given, and the reason.
    """
    for makes_no_sense, reason in _REFUSED:
        if makes_no_sense(recipe):
            raise ValueError(reason(recipe))


def _needs_workers(name: str) -> tuple[Callable[["Recipe"], bool], Callable[["Recipe"], str]]:
    return (
        lambda r: bool(getattr(r, name)) and not r.workers,
        lambda r: f"{name} is {getattr(r, name)!r} with workers 0; it needs 1 worker or more.",
    )


_REFUSED = (
    (
        lambda r: r.lr_find_low >= r.lr_find_high,
        lambda r: f"lr_find_low is {r.lr_find_low}, lr_find_high {r.lr_find_high}; expected low < high.",
    ),
    _needs_workers("prefetch"),
    _needs_workers("persistent_workers"),
)
