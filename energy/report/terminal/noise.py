"""An A/A run in plain words, and its table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from energy.analysis import calibration
from energy.text import align_columns, format_factor, format_number

TITLES = (
    "metric",
    "kind",
    "mean",
    "noise (sd) %",
    "A/B [95 %]",
    "drift %",
    "found: n=3 %",
    "n=5 %",
)
UNKNOWN = "–"
REPEATS = (1, 3, 5, 10)
CASES = (1, 8, 24)
ADVISED = 3
# What is gated, by what an A/A run measures: a run's epochs take what a window of fixed work does.
GATED = {"total_kj": "kj_per_epoch", "seconds": "s_per_epoch"}


def format_noise(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to print of the contents of a noise.json."""
    metrics = found["metrics"]
    yield from _in_words(metrics["total_kj"], "total energy")
    if metrics["total_kj"]["reason"]:
        yield from _in_words(metrics["seconds"], "wall time")
    yield ""
    yield from align_columns([TITLES, *(_row(name, noise) for name, noise in metrics.items())])
    yield from (f"{name}: unknown, {noise['reason']}" for name, noise in metrics.items() if noise["reason"])
    yield ""
    yield from _conditions(found)
    yield from _advice(found)
    yield from format_laws(found)


def format_laws(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the laws of the CPU that were fitted, with their bands, and why others were not."""
    block = found.get("cpu_power")
    if block is None:
        return
    yield ""
    yield "laws of this processor's power, for where no counter of it can be read:"
    for law in block["laws"]:
        low, idle, high = law["idle_watts_per_thread"]
        per = (f"{each[1]:.3g} J per {name}" for name, each in law["joules_per"].items())
        known = next((each for each in ((low, idle, high), *law["joules_per"].values()) if each[1]), None)
        band = "" if known is None else f"; the truth within {_band(known)}"
        yield f"  {law['source']}: {idle:.3g} W idle per thread, {', '.join(per)}{band}"
    for source, why in block["unfitted"].items():
        yield f"  {source}: not fitted: {why}"


def _band(ends: Sequence[float]) -> str:
    return f"{format_factor(ends[0] / ends[1])} … {format_factor(ends[2] / ends[1])}"


def _in_words(noise: Mapping[str, Any], what: str) -> Iterator[str]:
    """Yield what the noise means for somebody who compares two runs."""
    if noise["reason"]:
        yield f"{what}: unknown, {noise['reason']}"
        return
    low, high = noise["noise_ci95"]
    yield f"{what} is {_kind(noise)}"
    yield (
        f"runs of the same work differ by ±{_percent(noise['noise'])} % (standard deviation of {noise['n']}; "
        f"at 95 % between {_percent(low)} and {_percent(high)} %)"
    )
    three, five = noise["detectable"]["3"], noise["detectable"]["5"]
    yield (
        f"with n = 3 a change below {_percent(three)} % cannot be told from noise, "
        f"with n = 5 one below {_percent(five)} % (two-sided 5 %, power 80 %)"
    )
    low, high = noise["a_to_b_ci95"]
    if not low <= 1 <= high:
        yield (
            f"A and B are the same work, yet A/B is {_ratio(noise)}: chance does that to one metric in 20; "
            "if it happens again, something other than noise tells the windows apart"
        )
    low, high = noise["drift_ci95"]
    if low > 0 or high < 0:
        change = f"{100 * noise['drift']:+.2g} %"
        yield f"it drifts by {change} from the first to the last window: interleave what you compare"


def _kind(noise: Mapping[str, Any]) -> str:
    """Name kind and sources; of a model the noise says how it repeats, not how right it is."""
    named = f"{noise['kind']} ({' + '.join(noise['sources'])})"
    return named if noise["kind"] == "measured" else f"{named}: this says how it repeats, not how right it is"


def _row(name: str, noise: Mapping[str, Any]) -> tuple[str, ...]:
    kind = noise["kind"] or UNKNOWN
    if noise["reason"]:
        return (name, kind, *[UNKNOWN] * (len(TITLES) - 2))
    low, high = noise["drift_ci95"]
    return (
        name,
        kind,
        f"{format_number(noise['mean'])} {noise['unit']}",
        f"±{_percent(noise['noise'])}",
        _ratio(noise),
        f"{100 * noise['drift']:+.2g} [{100 * low:+.2g}, {100 * high:+.2g}]",
        *(_percent(noise["detectable"][runs]) for runs in ("3", "5")),
    )


def _conditions(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield under which conditions the noise was found."""
    idle, cost = found["idle"], found["self_cost"]
    watts = (f"{name} {_watts(value)}" for name, value in idle["watts"].items())
    yield f"idle power: {', '.join(watts)}, over {format_number(idle['seconds'])} s before"
    yield (
        f"the meters themselves: {100 * cost['cpu_share']:.2g} % of a core, "
        f"{1e6 * cost['reading_seconds']:.3g} µs a reading, {cost['threads']} threads in this process"
    )
    flags = ", ".join(f"{flag} in {count}" for flag, count in found["flags"].items())
    yield f"flags of {len(found['windows'])} windows: {flags or 'none'}"


def _advice(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a comparison of two runs can tell on this machine, and the gate that follows from it."""
    known = [metric for metric in GATED if not found["metrics"][metric]["reason"]]
    if not known:
        return
    metric = known[0]
    table = {cases: [_detectable(found["metrics"][metric], cases, n) for n in REPEATS] for cases in CASES}
    yield ""
    yield f"the least increase of {metric} in one case that a comparison of two runs can tell:"
    titles = ("  cases", *(f"n = {repeats}" for repeats in REPEATS))
    rows = ((f"  {cases}", *(f"{_percent(share)} %" for share in row)) for cases, row in table.items())
    yield from align_columns([titles, *rows])
    yield (
        "(a false alarm in 5 % of suites, by Holm; power 80 %; n = 1 relies on this A/A run; "
        "one limit on one metric)"
    )
    limit = _limit(table[CASES[-1]][REPEATS.index(ADVISED)])
    yield f"a gate that this allows with {CASES[-1]} cases and n = {ADVISED}:"
    yield f"  --energy-compare=main --energy-fail {GATED[metric]}:{limit}"


def _detectable(noise: Mapping[str, Any], cases: int, repeats: int) -> float:
    return math.expm1(calibration.detectable_in_suite(noise["noise"], noise["n"], cases, repeats))


def _limit(share: float) -> str:
    """Return the limit of a gate: what can be found, rounded up to half a per cent, 1 % at least.

    >>> _limit(0.0312), _limit(0.0001)
    ('3.5%', '1%')
    """
    return f"{max(1.0, math.ceil(200 * share) / 2):g}%"


def _watts(value: float | None) -> str:
    return "unknown" if value is None else f"{format_number(value)} W"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}"


def _ratio(noise: Mapping[str, Any]) -> str:
    low, high = noise["a_to_b_ci95"]
    return f"{noise['a_to_b']:.4f} [{low:.4f}, {high:.4f}]"
