"""Which figures of two cases belong together: those of the same seed or, of folds, of the same volume."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

Label = int | str
Labelled = tuple[Sequence[float], Sequence[Label]]  # figures, and the seed or volume of each


def shared(seeds: Sequence[Label], others: Sequence[Label]) -> tuple[Label, ...]:
    """Return the seeds that two cases have both, in the order of the first, each once."""
    return tuple(dict.fromkeys(seed for seed in seeds if seed in others))


def means(own: Labelled, other: Labelled) -> tuple[float, float] | None:
    """Return the means of two cases' figures over the seeds that both have; None if they share none.

    Dice of one seed against the mean of three says more of the seeds than of the cases. Repeats without
    seeds are compared as they are; values that are not one per seed belong to no seed.

    Args:
        own: a case's figures with their seeds, which are empty if it has none.
        other: the other case's.
    """
    (values, labels), (others, other_labels) = own, other
    if not values or not others:
        return None
    if not labels or not other_labels:
        return fmean(values), fmean(others)
    if len(labels) != len(values) or len(other_labels) != len(others):
        return None
    if labels == other_labels:  # of most cases; thousands of pairs are looked at
        return fmean(values), fmean(others)
    both = set(labels) & set(other_labels)
    return (_mean(own, both), _mean(other, both)) if both else None


def _mean(figures: Labelled, chosen: set[Label]) -> float:
    return fmean(value for value, label in zip(*figures, strict=True) if label in chosen)
