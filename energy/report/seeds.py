"""Which repeats of two cases belong together: those of the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean


def shared(seeds: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds that two cases have both, in the order of the first."""
    return tuple(seed for seed in seeds if seed in others)


def means(
    values: Sequence[float], seeds: Sequence[int], others: Sequence[float], other_seeds: Sequence[int]
) -> tuple[float, float] | None:
    """Return the means of two cases' figures over the seeds that both have; None if they share none.

    Dice of one seed against the mean of three says more of the seeds than of the cases. Repeats without
    seeds are compared as they are; values that are not one per seed belong to no seed.

    Args:
        values: of a case, one per repeat.
        seeds: of its repeats; empty if they have none.
        others: of the other case.
        other_seeds: of the other case's repeats.
    """
    if not values or not others:
        return None
    if not seeds or not other_seeds:
        return fmean(values), fmean(others)
    if len(seeds) != len(values) or len(other_seeds) != len(others):
        return None
    if seeds == other_seeds:  # of most cases; thousands of pairs are looked at
        return fmean(values), fmean(others)
    both = shared(seeds, other_seeds)
    if not both:
        return None
    own, their = dict(zip(seeds, values, strict=True)), dict(zip(other_seeds, others, strict=True))
    return fmean([own[seed] for seed in both]), fmean([their[seed] for seed in both])
