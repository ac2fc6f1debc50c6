"""Changes and limits as people read them."""

from __future__ import annotations

import math

from energy.analysis.compare.values import Scale
from energy.records.metrics import METRICS


def write_change(value: float | None, relative: bool, interval: tuple[float, float] | None = None) -> str:
    """Write a change with its interval: per cent, or the difference.

    >>> write_change(0.0312, True, (0.012, 0.0504)), write_change(-0.004, False, (-0.011, 0.003))
    ('+3.1 % [+1.2, +5.0]', '-0.004 [-0.011, +0.003]')
    >>> write_change(1.5, True)
    '+150 %'
    """
    if value is None:
        return "–"
    numbers = (value,) if interval is None else (value, *interval)
    texts = _percents(numbers) if relative else _differences(numbers)
    unit = " %" if relative else ""
    return texts[0] + unit if interval is None else f"{texts[0]}{unit} [{texts[1]}, {texts[2]}]"


def _percents(numbers: tuple[float, ...]) -> list[str]:
    """Give all numbers of one cell the decimals that the most precise of them needs, two at most."""
    half = max(abs(number - numbers[0]) for number in numbers) if len(numbers) > 1 else abs(numbers[0])
    decimals = 2 if 0 < half < 0.001 else 1
    return [_signed(100 * number, 0 if abs(number) >= 1 else decimals) for number in numbers]


def _differences(numbers: tuple[float, ...]) -> list[str]:
    size = max(map(abs, numbers))
    decimals = 3 if size < 1 else 2 if size < 10 else 1
    return [_signed(number, decimals) for number in numbers]


def _signed(number: float, decimals: int) -> str:
    """Write a number with its sign; what rounds to 0 has none.

    >>> _signed(-0.04, 1), _signed(0.06, 1), _signed(math.inf, 1)
    ('0.0', '+0.1', '+inf')
    """
    rounded = round(number, decimals) if math.isfinite(number) else number
    return f"{rounded:+.{decimals}f}" if rounded else f"{0:.{decimals}f}"


def write_share(scale: Scale, transformed: float) -> str:
    """Write how much worse something is, or may be, given on the metric's scale: 3.1 % or 0.012.

    The direction is that of getting worse: a speed that falls by 5 % is 5 % worse.
    """
    if scale.relative:
        changed = scale.change(transformed * scale.worse)
        return f"{_short(100 * abs(changed))} %"
    unit = METRICS[scale.metric].unit
    return f"{_short(abs(transformed))}{'' if unit == '1' else f' {unit}'}"


def _short(number: float) -> str:
    return f"{number:.2g}" if number < 100 else f"{number:.0f}"


def count_cases(count: int) -> str:
    """Count cases.

    >>> count_cases(1), count_cases(24)
    ('1 case', '24 cases')
    """
    return f"{count} case{'' if count == 1 else 's'}"


def count_tests(count: int) -> str:
    """Count tests, of which one may well be a false alarm."""
    return f"{count} test{'' if count == 1 else 's'}"
