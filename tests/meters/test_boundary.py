"""What a total is of: this process tree where all is modelled, the machine where a counter sees any of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.meters._meter import Missing
from energy.reading import Count, Reading

PARTS = {
    "cpu for the process": ("cpu", "machine", "cpu_seconds_model", "modelled", "process"),
    "cpu for the machine": ("cpu", "machine", "cpu_seconds_model", "modelled", "machine"),
    "ram for the process": ("ram", "machine", "ram_model", "modelled", "process"),
    "ram for the machine": ("ram", "machine", "ram_model", "modelled", "machine"),
    "codecarbon's cpu": ("cpu", "machine", "codecarbon_cpu_load_model", "modelled", "machine"),
    "codecarbon's ram": ("ram", "machine", "codecarbon_ram_model", "modelled", "machine"),
    "rapl": ("cpu", "package-0", "rapl", "measured", "machine"),
    "dram": ("ram", "package-0/dram", "rapl", "measured", "machine"),
    "gpu": ("gpu", "GPU-0", "nvml_counter", "measured", "machine"),
}
JOULES = {name: float(2**number) for number, name in enumerate(PARTS)}  # whose sums tell what is in them
MODELS = [name for name in PARTS if PARTS[name][3] == "modelled"]


def window(*names):
    def at(seconds):
        counts = []
        for name in names:
            domain, device, source, kind, boundary = PARTS[name]
            joules = JOULES[name] * seconds / 10.0
            counts.append(Count(domain, device, source, kind, joules, seconds, boundary=boundary))
        return Reading(seconds, tuple(counts))

    return at(10.0) - at(0.0)


@pytest.mark.parametrize(
    ("names", "boundary", "summed"),
    [
        (MODELS, "process", ["cpu for the process", "ram for the process"]),
        ([*MODELS, "rapl"], "machine", ["rapl", "ram for the machine"]),
        ([*MODELS, "rapl", "dram"], "machine", ["rapl", "dram"]),
        ([*MODELS, "gpu"], "machine", ["gpu", "cpu for the machine", "ram for the machine"]),
        (["codecarbon's cpu", "codecarbon's ram"], "machine", ["codecarbon's cpu", "codecarbon's ram"]),
        (["cpu for the process", "cpu for the machine", "codecarbon's ram"], "machine",
         ["cpu for the machine", "codecarbon's ram"]),
        (["cpu for the process", "cpu for the machine"], "process", ["cpu for the process"]),
    ],
    ids=["a virtual machine", "RAPL", "RAPL with DRAM", "a GPU where RAPL is closed", "CodeCarbon alone",
         "no memory of the process", "no memory at all"],
)  # fmt: skip
def test_a_total_is_of_one_boundary_and_every_part_follows_it(names, boundary, summed):
    energy = window(*names)

    assert energy.boundary == boundary
    assert energy.joules() == pytest.approx(sum(JOULES[name] for name in summed))


@given(st.sets(st.sampled_from(sorted(PARTS)), min_size=1))
def test_whatever_is_metered_no_sum_is_over_both_boundaries_and_nothing_is_lost(names):
    energy = window(*sorted(names))

    assert len({part.boundary for part in energy.headline()}) == 1
    assert {part.boundary for part in energy.headline()} == {energy.boundary}
    assert len(energy.domains) == len(names)
    for domain in {part.domain for part in energy.headline()}:
        assert len([part for part in energy.headline() if part.domain == domain]) == 1
    if any(PARTS[name][3] == "measured" for name in names):
        assert energy.boundary == "machine"


def test_figures_of_the_other_boundary_stay_as_witnesses_and_disagree_with_nothing():
    energy = window(*MODELS)
    others = [part for part in energy.domains if part.boundary == "machine"]

    assert all(part.witness for part in others)
    assert [energy.disagreement(part) for part in others] == [None] * 4
    assert energy.flags() == ()


def test_a_gpu_that_cannot_be_read_makes_the_total_of_the_machine_unknown_and_not_that_of_the_process_known():
    lost = Missing("gpu", "GPU-0", "no meter knows this GPU").counts()
    energy = window(*MODELS)
    with_gpu = [Reading(at, (*reading, *lost)) for at, reading in zip((0.0, 10.0), _counts(), strict=True)]

    assert energy.joules() is not None
    assert (with_gpu[1] - with_gpu[0]).boundary == "machine"
    assert (with_gpu[1] - with_gpu[0]).joules() is None


def _counts():
    def at(seconds):
        return tuple(
            Count(*PARTS[name][:4], JOULES[name] * seconds, seconds, boundary=PARTS[name][4])
            for name in MODELS
        )

    return at(0.0), at(10.0)


def test_the_two_figures_of_one_model_are_two_counts():
    process, machine = (
        Count(*PARTS[f"cpu for the {of}"][:4], 1.0, 0.0, boundary=of) for of in ("process", "machine")
    )

    assert process.key != machine.key
