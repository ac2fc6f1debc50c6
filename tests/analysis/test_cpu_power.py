"""A law that is fitted to known work: machines that draw power by a law that the test made up."""

import random

import numpy as np
import pytest

from energy.analysis.cpu_power import Worked, fit_law
from energy.commands._cpu_fit import fit_all
from energy.meters.cpu_model.law import read_law
from energy.meters.cpu_model.power import choose_law
from energy.meters.cpu_model.processor import Processor

THREADS = 8
CPU = Processor("AMD EPYC", 1, THREADS, True, "AuthenticAMD", 25, 17, 1, ("avx2", "avx512f"), 2)
# Watts of an idle thread, and joules of a CPU second, a multiply-accumulate of each type, and a byte.
IDLE = 0.7
TRUE = {"cpu_seconds": 1.2, "macs_fp32": 4e-11, "macs_bf16": 1.5e-11, "bytes_moved": 6e-11}
# What a busy thread does in a second, by load.
RATES = {
    "hash": {},
    "matmul": {"macs_fp32": 5e10},
    "matmul bf16": {"macs_bf16": 2e11},
    "copy": {"bytes_moved": 1e10},
}


def work(load, threads, seconds=10.0, noise=0.0, seed=0):
    """Return a window of a load on some threads, by the true law, off by some relative noise."""
    busy = threads * seconds
    signals = {"cpu_seconds": busy, **{name: rate * busy for name, rate in RATES.get(load, {}).items()}}
    joules = IDLE * THREADS * seconds + sum(TRUE[name] * amount for name, amount in signals.items())
    factor = 1 + noise * random.Random(f"{load} {threads} {seed}").uniform(-1, 1)
    return Worked(f"{load} x {threads}", seconds, joules * factor, signals)


def windows(noise=0.0, rounds=2):
    loads = [("rest", 0), *((load, count) for load in RATES for count in (1, 4, 8))]
    return [work(*load, noise=noise, seed=seed) for seed in range(rounds) for load in loads]


ALL = ("cpu_seconds", "macs_fp32", "macs_bf16", "bytes_moved")


def test_the_law_of_a_machine_that_follows_one_is_found_exactly():
    law = read_law(fit_law("cpu_work_model", windows(), ALL, THREADS, "here"))

    assert law.idle_watts[1] == pytest.approx(IDLE)
    assert {name: each[1] for name, each in law.joules_per.items()} == pytest.approx(TRUE)


@pytest.mark.parametrize("seed", range(5))
def test_work_that_it_was_not_fitted_to_lies_in_its_band(seed):
    law = read_law(fit_law("cpu_work_model", windows(noise=0.05), ALL, THREADS, "here"))
    drawn = random.Random(seed)
    signals = {"cpu_seconds": drawn.uniform(5, 80), "macs_fp32": drawn.uniform(0, 4e12)}
    signals |= {"macs_bf16": drawn.uniform(0, 1e13), "bytes_moved": drawn.uniform(0, 1e12)}
    truth = IDLE * THREADS * 10 + sum(TRUE[name] * amount for name, amount in signals.items())

    low, joules, high = law.joules((THREADS,) * 3, 10.0, signals)

    assert low <= truth <= high
    assert joules == pytest.approx(truth, rel=0.05)


def test_the_band_of_a_law_that_knows_cpu_time_only_is_as_wide_as_the_work_differs():
    by_time = read_law(fit_law("cpu_seconds_model", windows(), ["cpu_seconds"], THREADS, "here"))
    by_work = read_law(fit_law("cpu_work_model", windows(), ALL, THREADS, "here"))

    def width(law):
        return law.joules_per["cpu_seconds"][2] / law.joules_per["cpu_seconds"][0]

    assert width(by_work) == pytest.approx(1.1 / 0.9, rel=0.01)
    assert width(by_time) > 1.5 * width(by_work)
    for window in windows():
        low, _, high = by_time.joules((THREADS,) * 3, window.seconds, window.signals)
        assert low <= window.joules <= high


def test_joules_by_the_law_of_work_say_what_seconds_do_not():
    """Techniques of one network: equal work, other kernels. Their joules follow the law, not the clock."""
    law = read_law(fit_law("cpu_work_model", windows(), ALL, THREADS, "here"))
    seconds, joules = [], []
    for macs, slices in (("macs_fp32", 1.0), ("macs_bf16", 0.8), ("macs_bf16", 1.2), ("macs_fp32", 0.5)):
        for busy in (2.0, 8.0):
            took = 40.0 * slices / busy
            signals = dict.fromkeys(ALL, 0.0) | {"cpu_seconds": busy * took, macs: 3e12 * slices}
            seconds.append(took)
            joules.append(law.joules((THREADS,) * 3, took, signals)[1])
    correlation = np.corrcoef(np.log(seconds), np.log(joules))[0, 1]

    assert correlation < 0.99


def test_loads_that_differ_in_nothing_tell_nothing():
    alike = [work("matmul", count) for count in (1, 2, 4, 8)]

    with pytest.raises(ValueError, match="do not tell idle power, cpu_seconds, macs_fp32 apart"):
        fit_law("cpu_work_model", alike, ALL, THREADS, "here")


def test_two_loads_are_too_few():
    with pytest.raises(ValueError, match="2 loads: expected 3 or more"):
        fit_law("x", [work("rest", 0), work("hash", 8)], ["cpu_seconds"], THREADS, "here")


def test_a_processor_gives_no_energy_back():
    """Noise that would make a coefficient negative leaves it at 0."""
    odd = [*windows(), Worked("odd", 10.0, 1.0, {"cpu_seconds": 0.0, "bytes_moved": 1e13})]
    law = read_law(fit_law("x", [*odd, *odd], ("cpu_seconds", "bytes_moved"), THREADS, "here"))

    assert all(coefficient >= 0 for each in law.joules_per.values() for coefficient in each)


def test_what_was_fitted_is_taken_where_the_same_processor_has_no_counter():
    block = {"processor": CPU.as_key(), **fit_all(windows(), THREADS)}
    told = ("macs_fp32", "macs_bf16", "bytes_moved")

    with_work = choose_law(CPU, fitted=[block], signals=told)
    without = choose_law(CPU, fitted=[block])

    assert (with_work.source, without.source) == ("cpu_work_model", "cpu_seconds_model")
    assert with_work.joules_per["macs_bf16"][1] == pytest.approx(TRUE["macs_bf16"])


def test_a_law_that_these_loads_do_not_tell_is_left_out_with_the_reason():
    found = fit_all(windows(), THREADS)

    assert [law["source"] for law in found["laws"]] == ["cpu_seconds_model", "cpu_work_model"]
    assert found["unfitted"] == {"cpu_pmu_model": "no such signal is seen here"}


def test_counters_make_a_law_of_their_own():
    counted = [
        Worked(each.load, each.seconds, each.joules + 1e-9 * extra, {**each.signals, "instructions": extra,
                                                                    "llc_misses": misses})
        for number, each in enumerate(windows())
        for extra, misses in [(1e9 * (1 + number % 5) * each.signals["cpu_seconds"], 1e6 * (number % 7))]
    ]  # fmt: skip
    found = fit_all(counted, THREADS)

    assert "cpu_pmu_model" in [law["source"] for law in found["laws"]]
