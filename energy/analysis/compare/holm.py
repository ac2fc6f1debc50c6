"""Holm's correction: of many tests at once, how many may be called significant."""

from collections.abc import Sequence


def rejected(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Tell which hypotheses fall, so that one true one falls wrongly with a probability of at most `level`.

    S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6(2). Valid however the tests depend on each other. The smallest p-value must be at most
    level / m, the next level / (m - 1), and so on; the first that is not ends it.

    >>> rejected([0.01, 0.04, 0.03, 0.005])
    [True, False, False, True]
    """
    fell = [False] * len(p_values)
    left = len(p_values)
    for at in sorted(range(left), key=p_values.__getitem__):
        # Not a level divided by so many: 0.05 / 3 * 3 must fall at 0.05.
        if p_values[at] * left > level:
            break
        fell[at] = True
        left -= 1
    return fell
