"""When a rung of the ladder is kept: its Dice per kJ must be higher, and by more than noise explains."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from energy.analysis.compare.result import Noise

LEVEL = 0.95  # one-sided: the question is whether it is better, not whether it differs
LEAST_GAIN = 0.01  # below, a technique is not worth its line in a recipe, however sure its gain is
ON_ONE_REPEAT = "on one repeat, and no noise is known: not certain"

RULE = (
    "A repeat is a seed or, of folds, a fold of one. Its gain is ln(Dice/kJ with the technique) - ln(Dice/kJ "
    "without), both from that repeat; the gain of a technique is the mean over the repeats, told as the per "
    f"cent that it amounts to. It is kept if its gain is above {LEAST_GAIN:.0%} and above the noise. With "
    f"two repeats or more the noise is t({LEVEL}, repeats - 1) standard errors of the mean. Rungs are "
    "measured one after another, so a machine that slows down slows all repeats of one: where "
    "`joulebench calibrate` has run, the noise is never less "
    f"than t({LEVEL}, windows - 1) * sqrt(2) * the noise of one window that it found for the total energy. "
    "With one repeat that is all that is known, and says nothing of how Dice varies; without it, too, a "
    "technique is kept on one repeat."
)


@dataclass(frozen=True)
class Verdict:
    """Whether a rung is kept. Gain and need are relative: 0.04 is 4 % more Dice per kJ; None: no figure."""

    kept: bool
    gain: float | None
    needed: float | None
    why: str


def judge(held: Sequence[float], tried: Sequence[float | None], noise: Noise | None = None) -> Verdict:
    """Compare the Dice per kJ of what is held and what is tried, both one per repeat, in the same order.

    >>> judge([1.0, 1.0, 1.0], [1.1, 1.1, 1.1]).kept
    True
    >>> judge([1.0, 1.0, 1.0], [0.7, 1.1, 1.6]).why
    'within the noise of 3 repeats'

    Raises:
        ValueError: what is held has no Dice per kJ above 0; nothing can be compared with it.
    """
    if not _all_positive(held):
        raise ValueError(
            f"Dice/kJ of what is held is {list(held)}; the ladder needs figures above 0 to go on"
        )
    if not _all_positive(tried):
        return Verdict(False, None, None, f"Dice/kJ is {', '.join(map(_said, tried))}")
    gains = [math.log(ours / theirs) for ours, theirs in zip(tried, held, strict=True)]
    gain, least = statistics.fmean(gains), math.log1p(LEAST_GAIN)
    beyond, whose = _find_noise(gains, noise)
    kept = gain > max(least, beyond)
    return Verdict(kept, math.expm1(gain), math.expm1(max(least, beyond)), _why(kept, gain, beyond, whose))


def _find_noise(gains: Sequence[float], noise: Noise | None) -> tuple[float, str | None]:
    """Return the gain that noise may pass for, and whose noise that is; 0 and None if it is unknown."""
    # Half a second to import, and collecting cases does without.
    from scipy.special import stdtrit

    known: list[tuple[float, str]] = []
    if len(gains) > 1:
        error = statistics.stdev(gains) / math.sqrt(len(gains))
        known.append((float(stdtrit(len(gains) - 1, LEVEL)) * error, f"the noise of {len(gains)} repeats"))
    if noise is not None:
        # What a rung's repeats share does not average out over them, so it is not divided by their number.
        beyond = float(stdtrit(noise.freedom, LEVEL)) * math.sqrt(2) * noise.share
        repeats = "; one repeat" if len(gains) == 1 else ""
        known.append((beyond, f"the energy's noise ({noise.share:.1%}){repeats}"))
    return max(known, default=(0.0, None), key=lambda one: one[0])


def _why(kept: bool, gain: float, beyond: float, whose: str | None) -> str:
    if kept:
        return ON_ONE_REPEAT if whose is None else f"beyond {whose}"
    if gain <= 0:
        return "no gain"
    return f"within {whose}" if gain <= beyond else f"gains {LEAST_GAIN:.0%} or less"


def _all_positive(figures: Sequence[float | None]) -> bool:
    return bool(figures) and all(figure is not None and figure > 0 for figure in figures)


def _said(figure: float | None) -> str:
    return "unknown" if figure is None else f"{figure:g}"
