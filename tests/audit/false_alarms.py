"""How often a comparison cries wolf, and how often it sees one: simulated suites, judged by four rules.

`python -m tests.audit.false_alarms` simulates pairs of runs of 24 cases, one of which really takes 10 % more
joules, and asks four rules which cases got worse:

naive: the mean is more than 5 % above the base's, the rule of pytest-benchmark's `--benchmark-compare-fail`.
welch: Welch's t-test of each case by itself, two-sided 5 %.
pooled: t-tests with one noise for all cases, one-sided 5 %, Holm over the cases, and 3 % or more.
ours: `energy.analysis.compare.compare.compare`, the very function that `compare`, `check` and gates call.

A false alarm is a suite in which any of the 23 unchanged cases is called worse; power is how often the
changed case is. A drift is common to all cases of one of the two runs. One repeat tells no noise: ours is
given that of a `calibrate` with 20 windows then; welch and pooled have none.

With 2,000 suites and seed 1 (a rate of 0.04 is known to 0.01), false alarms / power:

                                  naive          welch          pooled         ours
n = 1, noise 1%                   0.007 / 1.000  –              –              0.037 / 0.999
n = 1, noise 3%                   0.956 / 0.855  –              –              0.036 / 0.178
n = 3, noise 1%                   0.000 / 1.000  0.320 / 1.000  0.004 / 1.000  0.004 / 0.999
n = 3, noise 3%                   0.399 / 0.967  0.320 / 0.720  0.046 / 0.820  0.040 / 0.769
n = 3, noise 1%, drift 3%         0.132 / 0.928  0.462 / 0.981  0.321 / 0.978  0.004 / 0.999
n = 3, noise 3%, drift 3%         0.462 / 0.877  0.412 / 0.669  0.229 / 0.701  0.040 / 0.769
n = 3, noise 3% x t5, drift 3%    0.478 / 0.884  0.415 / 0.701  0.251 / 0.740  0.061 / 0.823

The last draws its noise from Student's t with 5 degrees of freedom, which has outliers that no rule here
allows for: 6 % and not 4 %. Where nothing changed at all (3 % noise, 3 % drift, three repeats) and three
metrics are compared, a case is called worse in 1.8 % and better in 3.3 % of the suites. There most cases,
20 of 24, are inconclusive: with 3 % noise and three repeats "not worse by 3 %" cannot be said.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from energy.analysis.compare.compare import compare
from energy.analysis.compare.result import Comparison, Noise
from energy.records.summary import CaseSummary, RunSummary

CASES = 24
EFFECT = 0.10  # of the first case
NAIVE_LIMIT = 0.05
MARGIN = 0.03
LEVEL = 0.05
WINDOWS = 20  # of `calibrate`
DICE_OF_SEEDS = 0.03  # standard deviation of the Dice from seed to seed, common to base and head
DICE_OF_RUNS = 0.003  # and of what is left between two trainings of the same seed

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Args:
        repeats: of each case in each run.
        noise: standard deviation of one repeat, relative.
        drift: standard deviation of what all cases of the head have in common, relative.
        effect: how much more the first case takes, relative.
        heavy: whether the noise has outliers.
        cases: in the suite.
    """

    repeats: int
    noise: float
    drift: float = 0.0
    effect: float = EFFECT
    heavy: bool = False
    cases: int = CASES

    def __str__(self) -> str:
        tail = " x t5" if self.heavy else ""
        drift = f", drift {self.drift:.0%}" if self.drift else ""
        return f"n = {self.repeats}, noise {self.noise:.0%}{tail}{drift}"


SETTINGS = (
    Setting(1, 0.01),
    Setting(1, 0.03),
    Setting(3, 0.01),
    Setting(3, 0.03),
    Setting(3, 0.01, 0.03),
    Setting(3, 0.03, 0.03),
    Setting(3, 0.03, 0.03, heavy=True),
)


@dataclass(frozen=True)
class Rates:
    """Share of suites with a false alarm, and share in which the changed case was found."""

    false_alarms: float
    power: float

    def __str__(self) -> str:
        return f"{self.false_alarms:.3f} / {self.power:.3f}"


def drawn(setting: Setting, suites: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Draw the logarithms of the joules of base and head: suites x cases x repeats."""
    size = (suites, setting.cases, setting.repeats)
    levels = random.uniform(0, 3, (suites, setting.cases, 1))
    base = levels + setting.noise * _noise(setting, size, random)
    head = levels + setting.noise * _noise(setting, size, random)
    head += setting.drift * random.standard_normal((suites, 1, 1))
    head[:, 0] += np.log1p(setting.effect)
    return base, head


def _noise(setting: Setting, size: tuple[int, ...], random: np.random.Generator) -> Array:
    """Draw numbers of variance 1."""
    if not setting.heavy:
        return random.standard_normal(size)
    return random.standard_t(5, size) / np.sqrt(5 / 3)


def naive(base: Array, head: Array) -> Array:
    """Say which cases are worse: suites x cases, true or false."""
    return np.exp(head).mean(2) / np.exp(base).mean(2) > 1 + NAIVE_LIMIT


def welch(base: Array, head: Array) -> Array:
    """Say which cases are worse by a t-test each; its two-sided 5 % leave 2.5 % for worse."""
    found = stats.ttest_ind(head, base, axis=2, equal_var=False)
    return (found.pvalue < LEVEL) & (found.statistic > 0)


def pooled(base: Array, head: Array) -> Array:
    """Say which cases are worse by one noise for all, and Holm; written apart from ours, in arrays."""
    suites, cases, repeats = base.shape
    freedom = 2 * cases * (repeats - 1)
    noise = np.sqrt((base.var(2, ddof=1) + head.var(2, ddof=1)).mean(1, keepdims=True) / 2)
    change = head.mean(2) - base.mean(2)
    p_values = stats.t.sf(change / (noise * np.sqrt(2 / repeats)), freedom)
    order = np.argsort(p_values, axis=1)
    ranked = np.take_along_axis(p_values, order, axis=1) <= LEVEL / np.arange(cases, 0, -1)
    fell = np.zeros((suites, cases), bool)
    np.put_along_axis(fell, order, np.logical_and.accumulate(ranked, axis=1), axis=1)
    return fell & (change > np.log1p(MARGIN))


def ours(base: Array, head: Array, calibrated: Sequence[Noise | None]) -> Array:
    """Say which cases are worse by `energy.analysis.compare.compare`, one suite after the other."""
    return np.array(
        [verdicts(compared(*both), "regressed") for both in zip(base, head, calibrated, strict=True)]
    )


def compared(base: Array, head: Array, calibrated: Noise | None = None) -> Comparison:
    """Compare two simulated runs, given by the logarithms of their joules."""
    known = None if calibrated is None else {"total_kj": calibrated}
    sides = (run("base", {"total_kj": np.exp(base)}), run("head", {"total_kj": np.exp(head)}))
    return compare(*sides, metrics=["total_kj"], calibrated=known, margin=MARGIN)


def verdicts(comparison: Comparison, wanted: str) -> list[bool]:
    """Say which cases have a verdict, in any metric."""
    return [any(change.verdict == wanted for change in row.changes.values()) for row in comparison.rows]


def run(name: str, values: dict[str, Array]) -> RunSummary:
    """Return a run of these values: by metric, cases x repeats."""
    cases, repeats = next(iter(values.values())).shape
    return RunSummary(
        path=Path(name),
        reference=f"simulated/{name}",
        fingerprint="simulated",
        datetime="",
        commit="",
        dirty=False,
        finished=True,
        cases=tuple(
            CaseSummary(
                case=f"case {case}",
                task="training",
                status="ok",
                seeds=tuple(range(repeats)),
                values={metric: tuple(own[case].tolist()) for metric, own in values.items()},
            )
            for case in range(cases)
        ),
    )


def rates(alarms: Array) -> Rates:
    """Count alarms, suites x cases, of which only the first case is really worse."""
    return Rates(float(alarms[:, 1:].any(1).mean()), float(alarms[:, 0].mean()))


def table(
    settings: Sequence[Setting], suites: int, seed: int = 1
) -> Iterator[tuple[Setting, dict[str, Rates]]]:
    """Simulate every setting and yield the rates of each rule, all on the same suites."""
    for setting in settings:
        random = np.random.default_rng(seed)
        both = drawn(setting, suites, random)
        found = {"naive": rates(naive(*both))}
        known: list[Noise | None] = [None] * suites
        if setting.repeats == 1:
            known = [_calibrated(setting, random) for _ in range(suites)]
        else:
            found |= {"welch": rates(welch(*both)), "pooled": rates(pooled(*both))}
        yield setting, found | {"ours": rates(ours(*both, known))}


def _calibrated(setting: Setting, random: np.random.Generator) -> Noise:
    """Return what `calibrate` would have found."""
    windows = setting.noise * _noise(setting, (WINDOWS,), random)
    return Noise(float(windows.std(ddof=1)), WINDOWS - 1, "simulated")


@dataclass(frozen=True)
class Null:
    """What comparisons say where nothing changed.

    Args:
        regressed: share of comparisons with a case that is called worse.
        improved: share of those with one that is called better.
        inconclusive: cases of a comparison about which nothing can be said.
    """

    regressed: float
    improved: float
    inconclusive: float


def null(setting: Setting, suites: int, seed: int = 1) -> Null:
    """Compare suites in which nothing changed by three metrics: total_kj, kj_per_epoch and Dice."""
    random = np.random.default_rng(seed)
    base, head = drawn(setting, suites, random)
    found = [_by_three(setting, before, after, random) for before, after in zip(base, head, strict=True)]
    return Null(
        regressed=float(np.mean([any(verdicts(one, "regressed")) for one in found])),
        improved=float(np.mean([any(verdicts(one, "improved")) for one in found])),
        inconclusive=float(
            np.mean([sum(row.verdict == "inconclusive" for row in one.rows) for one in found])
        ),
    )


def _by_three(setting: Setting, base: Array, head: Array, random: np.random.Generator) -> Comparison:
    """Compare two runs by energy, energy per epoch (nearly the same figure) and Dice."""
    seeds = 0.8 + DICE_OF_SEEDS * random.standard_normal(base.shape)
    sides = []
    for name, logs in (("base", base), ("head", head)):
        epochs = np.exp(logs + 0.1 * setting.noise * random.standard_normal(logs.shape)) / 12
        dice = seeds + DICE_OF_RUNS * random.standard_normal(logs.shape)
        sides.append(run(name, {"total_kj": np.exp(logs), "kj_per_epoch": epochs, "dice": dice}))
    return compare(*sides, metrics=["total_kj", "kj_per_epoch", "dice"], margin=MARGIN)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suites", type=int, default=2000, metavar="N", help="per setting (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    args = parser.parse_args()
    print(f"{args.suites} suites, false alarms / power")
    rules = ("naive", "welch", "pooled", "ours")
    print("  ".join([f"{'':32}", *(f"{rule:13}" for rule in rules)]).rstrip())
    for setting, found in table(SETTINGS, args.suites, args.seed):
        cells = [f"{found[rule]!s:13}" if rule in found else f"{'–':13}" for rule in rules]
        print("  ".join([f"{setting!s:32}", *cells]).rstrip(), flush=True)
    calm = Setting(3, 0.03, 0.03, effect=0.0)
    nothing = null(calm, args.suites, args.seed)
    print(
        f"nothing changed, three metrics ({calm}): regressed in {nothing.regressed:.3f}, "
        f"improved in {nothing.improved:.3f} of the suites; {nothing.inconclusive:.1f} of 24 inconclusive"
    )


if __name__ == "__main__":
    main()
