"""The hardware key: what tells two machines apart, and what a machine was called before."""

import pytest

from energy.measuring import hardware
from energy.measuring.hardware import describe_hardware, find_processor
from energy.meters.cpu_model.law import from_watts
from energy.meters.cpu_model.processor import Processor
from energy.reading import Count, Reading
from energy.records.fingerprint import name_before, name_hardware

# Two virtual machines as they were met: one name, other instructions. One case has Dice 0.704 on the one and
# 0.446 on the other.
NEW = Processor(
    "AMD EPYC", 1, 2, True, "AuthenticAMD", 25, 17, 1, ("avx", "avx2", "avx512f", "avx512_bf16"), 2
)
OLD = Processor("AMD EPYC", 1, 2, True, "AuthenticAMD", 25, 1, 1, ("avx", "avx2"), 2)


def headline(source="cpu_seconds_model", boundary="process", model=None):
    """Return what makes up a total: a CPU and memory."""
    counts = (
        Count("cpu", "machine", source, "modelled", 0.0, 0.0, boundary=boundary, model=model),
        Count("ram", "machine", "ram_model", "modelled", 0.0, 0.0, boundary=boundary),
    )
    now = Reading(0.0, counts)
    return (now - now).headline()


def described(processor, **changes):
    return describe_hardware(headline=headline(**changes), processor=processor)


def test_two_processors_of_one_name_and_other_instructions_are_two_machines_and_their_names_say_so():
    names = [name_hardware(described(processor)) for processor in (NEW, OLD)]

    assert all(name.startswith("epyc-") for name in names)
    assert "-avx512bf16-cpu-" in names[0]
    assert "-avx2-cpu-" in names[1]


@pytest.mark.parametrize(
    "change",
    [{"vendor": "GenuineIntel"}, {"family": 26}, {"model": 160}, {"stepping": 2},
     {"instructions": ("avx", "avx2", "avx512f")}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_each_of_what_the_kernel_says_of_a_processor_is_a_part_of_its_key(change):
    other = Processor(**{**vars(NEW), **change})

    assert name_hardware(described(other)) != name_hardware(described(NEW))


def test_memory_is_a_part_of_the_key(monkeypatch):
    names = set()
    for gib in (24, 48):
        monkeypatch.setattr(
            hardware.psutil, "virtual_memory", lambda gib=gib: type("M", (), {"total": gib * 2**30})
        )
        names.add(name_hardware(described(NEW)))

    assert len(names) == 2


def test_another_boundary_or_another_law_of_the_cpu_is_another_key():
    laws = [from_watts("x", "y", (idle,) * 3, (full,) * 3).as_json() for idle, full in ((1, 4), (1, 5))]
    names = {
        name_hardware(described(NEW)),
        name_hardware(described(NEW, boundary="machine")),
        *(name_hardware(described(NEW, model={"law": law})) for law in laws),
    }

    assert len(names) == 4


def test_a_processor_without_known_instructions_has_a_name_all_the_same():
    assert "--" not in name_hardware(described(Processor("", 1, 1, virtual=False)))


def test_the_name_of_before_is_that_of_the_committed_results():
    """epyc-2c-cpu-12c8 and xeon-2c-cpu-fc60 are in the results, from two cores with 24 GiB."""
    for name, before in (
        ("AMD EPYC", "epyc-2c-cpu-12c8"),
        ("Intel(R) Xeon(R) Processor", "xeon-2c-cpu-fc60"),
    ):
        today = described(Processor(**{**vars(NEW), "name": name})) | {"cores": 2, "ram_gib": 24}

        assert name_before(today) == before
        assert name_hardware(today) != before


def test_a_description_of_before_has_no_earlier_name():
    old = {"gpus": [], "cpu": "AMD EPYC", "cores": 2, "ram_gib": 24, "meters": ["codecarbon_ram_model"]}

    assert name_before(old) is None


def test_this_machine_is_described_with_its_processor():
    found, cpu = described(None), find_processor()

    assert found["cpu"] == cpu.name != ""
    assert found["processor"] == cpu.as_key()
    assert found["instructions"] == list(cpu.instructions)
    assert found["boundary"] == "process"


def test_elsewhere_than_on_linux_no_more_than_a_name_is_known(monkeypatch):
    def missing():
        raise FileNotFoundError

    monkeypatch.setattr(hardware, "read_processor", missing)
    monkeypatch.setattr(hardware.platform, "processor", lambda: "arm")

    assert find_processor() == Processor("arm", 1, 1, virtual=False)
