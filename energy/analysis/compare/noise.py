"""How noisy a metric is on one machine: one figure for all cases, because each case has few repeats.

With three repeats of each run, a case alone tells its noise to a factor of three; 24 cases together tell it
to 15 %. Hence the repeats of all cases of both runs, and those of earlier runs on the same hardware, are
pooled: the squared deviations from each case's own mean, added up, over the degrees of freedom added up. A
case that is proven noisier than the others (F-test of variances, Holm over the cases) is judged by its own
repeats and left out of the pool.

What a run's repeats do not show is what changes from session to session: see `session_shift`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.analysis import calibration
from energy.analysis.compare.result import Noise
from energy.analysis.compare.values import Identity, Pair, Scale, find_known
from energy.records.storage.fitted import FILE
from energy.records.summary import RunSummary
from energy.statistics import Spread, measure_spread, p_noisier, pool_spreads, reject_by_holm
from energy.text import parse_json

FALSE_ALARMS = 0.05
# What an A/A run measures, by the metric that is compared: the window of an epoch is shorter than that of the
# training, but nothing else is known of it.
CALIBRATED = {"kj_per_epoch": "total_kj", "s_per_epoch": "seconds"}


@dataclass(frozen=True)
class Noises:
    """The noise of one metric, for every case.

    Args:
        common: that of all cases but the noisier ones; None: nothing tells it.
        own: by case, that of the cases that are proven noisier.
    """

    common: Noise | None
    own: Mapping[Identity, Noise]

    def find(self, case: Identity) -> Noise | None:
        """Return the noise by which a case is judged."""
        return self.own.get(case, self.common)


def pool_noise(
    scale: Scale,
    pairs: Mapping[Identity, Pair],
    history: Sequence[RunSummary] = (),
    calibrated: Noise | None = None,
) -> Noises:
    """Return the noise of a metric.

    Args:
        scale: how the metric is compared.
        pairs: by case, what both runs show.
        history: earlier runs on the same hardware. They tell nothing of repeats that are compared by seed,
            whose noise is smaller, and are asked only where there is no other repeat.
        calibrated: that of an A/A run; used where no case was ever repeated.
    """
    by_case = {case: pair.spread for case, pair in pairs.items() if pair.spread.freedom}
    noisier = find_noisier(by_case)
    common = {case: found for case, found in by_case.items() if case not in noisier}
    own = {
        case: _as_noise(by_case[case], "its own repeats: noisier than the other cases") for case in noisier
    }
    found = pool_spreads(common.values())
    by_seed = any(pairs[case].by_seed for case in common)
    earlier = Spread() if by_seed else _pool_history(scale, history)
    if found.freedom and earlier.freedom:
        return Noises(_add_history(found, len(common), earlier), own)
    if found.freedom:
        return Noises(_as_noise(found, _name_origin(found, len(common), by_seed)), own)
    if earlier.freedom:
        return Noises(_as_noise(earlier, f"repeats of {_counted(history, 'earlier run')}"), own)
    return Noises(calibrated, own)


def find_noisier(spreads: Mapping[Identity, Spread]) -> tuple[Identity, ...]:
    """Return the cases whose repeats are proven to spread more than those of all others together."""
    cases = list(spreads)
    every = pool_spreads(spreads.values())
    p_values = [p_noisier(spreads[case], _without(every, spreads[case])) for case in cases]
    fell = reject_by_holm(p_values, FALSE_ALARMS)
    return tuple(case for case, is_noisier in zip(cases, fell, strict=True) if is_noisier)


def _without(every: Spread, one: Spread) -> Spread:
    return Spread(max(0.0, every.squares - one.squares), every.freedom - one.freedom)


def _add_history(found: Spread, cases: int, earlier: Spread) -> Noise:
    """Add the history, unless today is noisier: then calm days say nothing about it."""
    if p_noisier(found, earlier) < FALSE_ALARMS:
        origin = f"{_name_origin(found, cases, by_seed=False)}; noisier than earlier runs, which are left out"
        return _as_noise(found, origin)
    both = pool_spreads([found, earlier])
    return _as_noise(both, f"{_name_origin(found, cases, by_seed=False)}, and those of earlier runs")


def _pool_history(scale: Scale, history: Sequence[RunSummary]) -> Spread:
    found = []
    for run in history:
        for case in run.cases:
            values = find_known(case, scale.metric)
            is_good = case.status == "ok" and not case.invalid and values is not None
            if is_good and values is not None and not (scale.relative and min(values) <= 0):
                found.append(measure_spread(scale.transformed(values)))
    return pool_spreads(found)


def _as_noise(found: Spread, origin: str) -> Noise:
    return Noise(math.sqrt(found.variance), found.freedom, origin)


def _name_origin(found: Spread, cases: int, by_seed: bool) -> str:
    """Say what the noise was taken from.

    >>> _name_origin(Spread(1.0, 96), 24, by_seed=False)
    'repeats of 24 cases in both runs, 96 degrees of freedom'
    """
    what = "differences seed by seed" if by_seed else "repeats"
    named = f"{cases} case{'s' if cases > 1 else ''}"
    return f"{what} of {named} in both runs, {found.freedom} degrees of freedom"


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s' if len(things) > 1 else ''}"


def read_calibrated(folder: Path) -> dict[str, Noise]:
    """Return the noise that `python -m energy calibrate` left in a machine's folder, by metric.

    Empty if it was never run. It is that of a window of fixed work on one day, drift included.

    Raises:
        ValueError: the file is there and cannot be used; names the file.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = parse_json(path.read_bytes())
        if found["schema"] != calibration.SCHEMA:
            raise ValueError(f"schema {found['schema']}, this one reads {calibration.SCHEMA}")
        measured = {
            name: _read_metric(noise, float(found["work"]["seconds"]))
            for name, noise in found["metrics"].items()
            if noise["noise"] is not None
        }
    except (KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"{path}: not usable ({problem}); run `python -m energy calibrate` again") from None
    alike = {name: measured[like] for name, like in CALIBRATED.items() if like in measured}
    return measured | alike


def _read_metric(noise: Mapping[str, float], seconds: float) -> Noise:
    windows = int(noise["n"])
    origin = f"calibrate: {windows} windows of {seconds:.3g} s of fixed work"
    return Noise(float(noise["noise"]), windows - 1, origin)
