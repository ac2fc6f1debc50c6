"""Which law holds for a processor: constants against the published sweeps, the table against its source."""

import subprocess
import sys

import numpy as np
import pytest

from energy.meters.cpu_model import table
from energy.meters.cpu_model.law import from_watts, read_law
from energy.meters.cpu_model.power import (
    BUSY_FACTOR,
    FIT_BAND,
    FULL_SHARE,
    IDLE_FACTOR,
    IDLE_SHARE,
    SHAPE,
    choose_law,
    table_watts,
)
from energy.meters.cpu_model.processor import Processor
from tests.simulated import cpu_sweeps

TABLE = table.read_table()
# Of SPECpower_ssj2008, the whole server at the wall: watts when idle and at full load (results of 2023-09 and
# 2012-08), for two processors whose RAPL is in the sweeps.
AT_THE_WALL = {"epyc": (62.1, 104.0), "e3": (14.1, 72.5)}
SIENA = Processor(
    "AMD EPYC 8024P 8-Core Processor", 1, 16, False, "AuthenticAMD", 25, 160, 2, ("avx", "avx2", "avx512f"), 2
)
HASWELL = Processor(
    "Intel(R) Xeon(R) CPU E5-2620 v3", 2, 24, False, "GenuineIntel", 6, 63, 2, ("avx", "avx2"), 2
)
# As a virtual machine showed it: the model number of a desktop processor, and instructions that no such has.
MASKED = Processor(
    "Intel(R) Xeon(R) Processor", 1, 2, True, "GenuineIntel", 6, 167, 8,
    ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"), 1,
)  # fmt: skip


def line(law, load):
    """Return the watts per thread at a load from 0 to 1: at least, the figure, at most."""
    return tuple(
        idle + load * busy for idle, busy in zip(law.idle_watts, law.joules_per["cpu_seconds"], strict=True)
    )


def test_the_constants_are_what_the_sweeps_give():
    idle, busy = cpu_sweeps.fit("line", cpu_sweeps.points())

    assert (round(idle, 3), round(busy, 3)) == (IDLE_FACTOR, BUSY_FACTOR)


def test_the_band_is_what_a_machine_shows_that_the_line_was_not_fitted_to():
    truth = 1 / cpu_sweeps.leave_one_out("line")

    assert FIT_BAND[0] <= truth.min() <= FIT_BAND[0] * 1.02
    assert FIT_BAND[1] * 0.98 <= truth.max() <= FIT_BAND[1]


def test_the_shape_is_how_far_the_sweeps_are_from_a_line_between_their_own_ends():
    shape = cpu_sweeps.shape()

    assert SHAPE[0] <= shape.min() <= SHAPE[0] * 1.02
    assert SHAPE[2] * 0.98 <= shape.max() <= SHAPE[2]


@pytest.mark.parametrize("form", ["power", "saturating"])
def test_a_concave_form_predicts_an_unseen_machine_no_better_than_the_line(form):
    straight, concave = cpu_sweeps.leave_one_out("line"), cpu_sweeps.leave_one_out(form)

    assert cpu_sweeps.scatter(concave) > cpu_sweeps.scatter(straight)
    assert concave.max() / concave.min() > straight.max() / straight.min()


def test_the_line_predicts_unseen_machines_better_than_codecarbons_formula():
    straight, codecarbon = cpu_sweeps.leave_one_out("line"), cpu_sweeps.codecarbon()

    assert cpu_sweeps.scatter(straight) < 0.65 * cpu_sweeps.scatter(codecarbon)


@pytest.mark.parametrize("machine", AT_THE_WALL)
def test_the_processors_share_of_the_wall_is_within_what_is_assumed(machine):
    own = [point for point in cpu_sweeps.points() if point.machine == machine]
    idle = np.mean([point.watts for point in own if point.load <= 0.03]) / AT_THE_WALL[machine][0]
    full = np.mean([point.watts for point in own if point.load >= 0.99]) / AT_THE_WALL[machine][1]

    assert IDLE_SHARE[0] < idle < IDLE_SHARE[2]
    assert FULL_SHARE[0] * 0.98 < full < FULL_SHARE[2]


@pytest.mark.parametrize(("machine", "cpu"), [("epyc", SIENA), ("e5", HASWELL)])
def test_the_table_alone_holds_what_rapl_saw_of_processors_of_its_generations(machine, cpu):
    """Its ranges are those of 5 to 95 % of the servers; the smallest EPYC of a generation is just beyond."""
    law = choose_law(cpu)
    points = [point for point in cpu_sweeps.points() if point.machine == machine]
    ends = [line(law, point.load) for point in points]
    held = [
        low <= each.watts / each.threads <= high for each, (low, _, high) in zip(points, ends, strict=True)
    ]

    assert sum(held) >= 0.95 * len(held)


def test_rated_power_is_believed_on_metal_and_not_in_a_virtual_machine():
    metal = choose_law(SIENA, tdp_watts=90.0)
    virtual = choose_law(Processor(**{**vars(SIENA), "virtual": True, "threads": 2}), tdp_watts=90.0)

    assert line(metal, 1.0)[1] == pytest.approx(0.706 * 90 / 16)
    assert "rated power" in metal.origin
    assert "SPECpower" in virtual.origin


@pytest.mark.parametrize(
    ("processor", "found"),
    [
        (SIENA, ["Bergamo and Siena"]),
        (Processor("AMD EPYC", 1, 2, True, "AuthenticAMD", 25, 1, 1, ("avx", "avx2")), ["Milan"]),
        (Processor("Intel Xeon", 1, 2, True, "GenuineIntel", 6, 85, 7, ("avx512f",)), ["Cascade Lake"]),
        (Processor("Intel Xeon", 1, 2, True, "GenuineIntel", 6, 85, 4, ("avx512f",)), ["Skylake SP"]),
        (MASKED, ["Sapphire Rapids", "Emerald Rapids", "Granite Rapids"]),
        (Processor("AMD EPYC", 1, 2, True, "AuthenticAMD", 25, 99, 0, ("avx512f", "avx512_bf16")),
         ["Genoa", "Bergamo and Siena", "Turin"]),
        (Processor("", 1, 2, False, "0x41", 8, 3340, 1, ("asimd",)), ["Neoverse N1 (Ampere Altra)"]),
        (Processor("QEMU Virtual CPU", 1, 2, True), [each.name for each in TABLE]),
    ],
)  # fmt: skip
def test_a_generation_is_known_by_family_and_model_unless_the_instructions_say_otherwise(processor, found):
    generations, _ = table.find_generations(processor, TABLE)

    assert [each.name for each in generations] == found


def test_a_model_number_that_the_instructions_contradict_is_told():
    assert "which Rocket Lake does not have" in choose_law(MASKED).origin


def test_several_possible_generations_widen_the_band_to_hold_each():
    one = choose_law(Processor(**{**vars(MASKED), "model": 143}))
    several = choose_law(MASKED)

    assert several.idle_watts[0] < one.idle_watts[0]
    assert line(several, 1.0)[0] < line(one, 1.0)[0] < line(one, 1.0)[2] < line(several, 1.0)[2]


def test_the_figures_of_the_table_are_those_of_its_source():
    """SPECpower by hand: 36 servers with Rome, of which the middle one has 0.437 and 1.66 W a thread."""
    rome = next(each for each in TABLE if each.name == "Rome")

    assert (rome.vendor, rome.family, rome.models) == ("AuthenticAMD", 23, (49,))
    assert (rome.results, rome.idle_watts[1], rome.full_watts[1]) == (36, 0.437, 1.66)


@pytest.mark.parametrize("generation", TABLE, ids=lambda each: each.name)
def test_every_line_of_the_table_makes_sense(generation):
    assert generation.results >= 5
    assert 0 < generation.idle_watts[0] <= generation.idle_watts[1] <= generation.idle_watts[2]
    assert generation.full_watts[0] <= generation.full_watts[1] <= generation.full_watts[2]
    assert generation.idle_watts[1] < generation.full_watts[1]


def test_the_overall_range_is_what_servers_of_2019_and_later_show():
    """Of all results since 2019, 5 to 95 % have 0.33 to 1.15 W a thread when idle, then 1.56 to 4.99 W."""
    later = [
        each
        for each in TABLE
        if each.name in ("Rome", "Milan", "Cascade Lake", "Ice Lake SP", "Sapphire Rapids")
    ]

    assert min(each.idle_watts[0] for each in later) > 0.3
    assert min(each.full_watts[0] for each in later) > 1.5
    assert max(each.full_watts[1] for each in later) < 4.99


def test_one_thread_a_core_draws_what_the_whole_core_does():
    with_smt, without = choose_law(SIENA), choose_law(Processor(**{**vars(SIENA), "threads_per_core": 1}))

    assert without.idle_watts[1] == pytest.approx(2 * with_smt.idle_watts[1])
    assert line(without, 1.0)[1] == pytest.approx(2 * line(with_smt, 1.0)[1])


def test_watts_that_the_user_gives_are_those_of_all_threads_together():
    law = choose_law(SIENA, watts=(20.0, 100.0), tdp_watts=90.0)

    assert (16 * line(law, 0.0)[1], 16 * line(law, 1.0)[1]) == pytest.approx((20.0, 100.0))
    assert (16 * line(law, 1.0)[0], 16 * line(law, 1.0)[2]) == pytest.approx((47.0, 190.0))
    assert law.origin == "given by --energy-cpu-watts"


FITTED = [
    {
        "processor": SIENA.as_key(),
        "laws": [
            {"source": source, "origin": "fitted", "idle_watts_per_thread": [0.9, 1.0, 1.1],
             "joules_per": {name: [1.8, 2.0, 2.2] for name in ("cpu_seconds", *signals)}}
            for source, signals in (
                ("cpu_seconds_model", ()),
                ("cpu_pmu_model", ("instructions", "llc_misses")),
                ("cpu_work_model", ("macs_fp32", "macs_bf16", "bytes_moved")),
            )
        ],
    }
]  # fmt: skip


@pytest.mark.parametrize(
    ("signals", "source"),
    [
        ((), "cpu_seconds_model"),
        (("instructions", "llc_misses"), "cpu_pmu_model"),
        (("macs_fp32", "macs_bf16", "bytes_moved"), "cpu_work_model"),
        (("macs_fp32", "bytes_moved"), "cpu_seconds_model"),
        # In a type that the law does not know, work were free.
        (("macs_fp32", "macs_bf16", "macs_int8", "bytes_moved"), "cpu_seconds_model"),
        (("instructions", "llc_misses", "macs_fp32", "macs_bf16", "bytes_moved"), "cpu_pmu_model"),
    ],
)
def test_the_fitted_law_that_knows_most_of_what_can_be_known_here_is_taken(signals, source):
    law = choose_law(SIENA, fitted=FITTED, signals=signals, tdp_watts=90.0)

    assert (law.source, law.origin) == (source, "fitted")


def test_a_law_of_another_processor_is_not_taken():
    assert choose_law(HASWELL, fitted=FITTED).origin != "fitted"


def test_a_law_is_read_back_as_it_was_written():
    law = from_watts("cpu_seconds_model", "by hand", (0.5, 1.0, 2.0), (2.5, 5.0, 10.0))

    assert read_law(law.as_json()) == law


def test_a_law_without_cpu_seconds_is_refused():
    data = from_watts("x", "y", (1.0,) * 3, (2.0,) * 3).as_json() | {"joules_per": {"macs_fp32": [1, 1, 1]}}

    with pytest.raises(ValueError, match="expected cpu_seconds"):
        read_law(data)


def test_rated_powers_are_in_codecarbons_table():
    assert table_watts("AMD EPYC 9754 128-Core Processor") == pytest.approx(360, rel=0.01)
    assert table_watts("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz") == pytest.approx(69, rel=0.01)


@pytest.mark.parametrize(
    "name", ["Intel(R) Xeon(R) Processor", "AMD EPYC", "QEMU Virtual CPU version 2.5+", ""]
)
def test_a_generic_name_has_no_rated_power(name):
    assert table_watts(name) is None


def test_looking_up_prints_nothing():
    code = "from energy.meters.cpu_model.power import table_watts; table_watts('Intel(R) Xeon(R) Processor')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")
