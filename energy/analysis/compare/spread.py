"""How repeats spread around their own mean: what is added up over cases into one pooled noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Sum of squared deviations, and the degrees of freedom behind it."""

    squares: float = 0.0
    freedom: int = 0

    @property
    def variance(self) -> float:
        """Return the variance of one value; there must be at least one degree of freedom."""
        return self.squares / self.freedom


def of(values: Sequence[float]) -> Spread:
    """Return the spread of repeats of the same thing; one value has none.

    >>> of([1.0, 2.0, 3.0])
    Spread(squares=2.0, freedom=2)
    """
    centre = sum(values) / len(values)
    return Spread(sum((value - centre) ** 2 for value in values), len(values) - 1)


def total(spreads: Iterable[Spread]) -> Spread:
    """Add up the spreads of different things that are equally noisy."""
    parts = list(spreads)
    return Spread(sum(part.squares for part in parts), sum(part.freedom for part in parts))


def p_noisier(one: Spread, other: Spread) -> float:
    """Return the p-value of `one` being no noisier than `other`, by the F-test of two variances.

    1 where either has no degree of freedom: nothing is proven then.
    """
    from scipy.special import fdtrc

    if not one.freedom or not other.freedom or one.squares == 0.0:
        return 1.0
    if other.squares == 0.0:
        return 0.0
    return float(fdtrc(one.freedom, other.freedom, one.variance / other.variance))
