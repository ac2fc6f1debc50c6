"""The Apple meter against channels that move as users recorded them, over a known power."""

import os
import sys
from types import SimpleNamespace

import pytest

from energy.meters import apple
from energy.meters._meter import MeterUnavailable
from energy.meters.apple import ioreport as _ioreport
from tests.simulated.apple import M1, M1_ULTRA, Chip
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, measure, run, take

SHAPES = {
    "constant": Constant(40.0),
    "step": Step(10.0, 60.0, at=8.37),
    "ramp": Ramp(5.0, 60.0, seconds=45.0),
    "square": Square(10.0, 50.0, period=1.3),
    "sine": Sine(40.0, 30.0, period=3.1, start=4.0, end=30.0),
}
SHARES = {"package-0": 0.5, "package-0/dram": 0.1, "apple-gpu": 0.3, "apple-ane": 0.05}


def metered(machine, gpus=None, **chip):
    source = Chip(machine, **chip)
    return source, apple.open(gpus, source=source, clock=machine.now)


def part(energy, device):
    return next(part for part in energy.domains if part.device == device)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_of_a_minute(shape):
    machine = Machine(SHAPES[shape])
    _, meter = metered(machine)

    energy, truth = measure(machine, meter, 60.0, settle_seconds=8.0)

    assert energy.band()[0] <= sum(SHARES.values()) * truth <= energy.band()[1]


def test_five_minutes_are_right_to_one_percent_and_unflagged():
    machine = Machine(Constant(40.0))
    _, meter = metered(machine)

    energy, truth = measure(machine, meter, 300.0, settle_seconds=8.0)

    for device, share in SHARES.items():
        assert part(energy, device).joules == pytest.approx(share * truth, rel=0.01)
    assert energy.flags() == ()


def test_a_window_that_the_cpu_channel_cannot_resolve_is_flagged():
    machine = Machine(Constant(40.0))
    _, meter = metered(machine)

    assert measure(machine, meter, 10.0, settle_seconds=8.0)[0].flags() == ("window_too_short",)


def test_an_edge_of_the_cpu_is_as_stale_as_its_channel_and_that_of_the_gpu_is_not():
    """20 W and 12 W: the CPU's channel moves after up to 1.7 s, the GPU's with each sample."""
    machine = Machine(Constant(40.0))
    _, meter = metered(machine)
    run(machine, meter, 30.0)

    edges = {count.device: count.edge_joules for count in meter.counts()}

    assert edges["package-0"] >= 1.7 * 20.0
    assert edges["apple-gpu"] <= 0.3 * 12.0


def test_every_part_is_counted_once_and_called_modelled():
    machine = Machine(Constant(100.0))
    _, meter = metered(machine)

    energy, _ = measure(machine, meter, 210.0, settle_seconds=8.0)

    assert {(part.domain, part.device): round(part.joules, -2) for part in energy.headline()} == {
        ("cpu", "package-0"): 10500,
        ("ram", "package-0/dram"): 2100,
        ("gpu", "apple-gpu"): 6300,
        ("gpu", "apple-ane"): 1000,
    }
    assert energy.kind == "modelled"


def test_the_dies_of_an_ultra_are_added_up():
    machine = Machine(Constant(100.0))
    _, meter = metered(machine, channels=M1_ULTRA)

    energy, truth = measure(machine, meter, 300.0, settle_seconds=8.0)

    for device, share in SHARES.items():
        assert part(energy, device).joules == pytest.approx(share * truth, rel=0.02), device


def test_a_channel_of_the_whole_chip_is_not_added_to_those_of_its_dies():
    machine = Machine(Constant(100.0))
    channels = M1 | {"DIE_0_CPU Energy": ("mJ", 0.3), "DIE_1_CPU Energy": ("mJ", 0.2)}
    _, meter = metered(machine, channels=channels)

    energy, truth = measure(machine, meter, 300.0, settle_seconds=8.0)

    assert part(energy, "package-0").joules == pytest.approx(0.5 * truth, rel=0.02)


def test_channels_that_macos_has_frozen_are_unknown_and_not_zero():
    """macOS 27 on some chips: only the GPU's channel moves."""
    machine = Machine(Constant(40.0))
    _, meter = metered(machine, frozen=("CPU Energy", "ANE", "DRAM"))

    energy, truth = measure(machine, meter, 60.0, settle_seconds=8.0)

    assert [part(energy, device).joules for device in ("package-0", "package-0/dram", "apple-ane")] == [
        None
    ] * 3
    assert part(energy, "apple-gpu").joules == pytest.approx(0.3 * truth, rel=0.01)
    assert "stood still" in part(energy, "package-0").reason
    assert "the CPU's channel does not move either" in part(energy, "apple-ane").reason
    assert energy.joules() is None


def test_a_neural_engine_that_sleeps_and_wakes_is_counted_right():
    machine = Machine(Constant(40.0))
    _, meter = metered(machine, asleep={"ANE": (1000.0, 1100.0)})

    energy, _ = measure(machine, meter, 300.0, settle_seconds=8.0)

    awake_seconds = 300.0 - (1100.0 - 1008.0)
    assert part(energy, "apple-ane").joules == pytest.approx(0.05 * 40.0 * awake_seconds, rel=0.02)
    assert energy.faults == ()


def test_a_neural_engine_that_never_wakes_has_drawn_nothing():
    machine = Machine(Constant(40.0))
    _, meter = metered(machine, asleep={"ANE": (900.0, 9000.0)})

    energy, _ = measure(machine, meter, 60.0, settle_seconds=8.0)

    assert part(energy, "apple-ane").joules == 0.0


def test_a_reset_is_no_energy():
    machine = Machine(Constant(40.0))
    _, meter = metered(machine, reset_at=1030.0)

    energy, truth = measure(machine, meter, 60.0, settle_seconds=8.0)

    assert "reset" in energy.flags()
    for device, share in SHARES.items():
        low, high = part(energy, device).band
        assert low <= share * truth <= high, device
        assert part(energy, device).joules <= share * truth * 1.02, device


@pytest.mark.parametrize("change", [("events", 0.5), ("mJ", -0.5)])
def test_a_channel_of_another_unit_makes_the_meter_unavailable(change):
    """Channels of states answer with a large negative number."""
    source = Chip(Machine(), channels=M1 | {"CPU Energy": change})

    with pytest.raises(MeterUnavailable, match=r"the channel 'CPU Energy' shows .* expected a count of mJ"):
        apple.open(source=source)

    assert source.closed


def test_a_channel_that_vanishes_is_unknown():
    machine = Machine(Constant(40.0))
    chip, meter = metered(machine)
    run(machine, meter, 8.0)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    del chip.channels["GPU Energy"]
    energy = take(machine, meter) - before

    assert part(energy, "apple-gpu").joules is None
    assert "the channel 'GPU Energy' is not in the sample" in part(energy, "apple-gpu").reason


@pytest.mark.parametrize(("gpus", "domains"), [((), {"cpu", "ram"}), (("apple-gpu",), {"cpu", "ram", "gpu"})])
def test_the_gpu_counts_if_it_is_asked_for(gpus, domains):
    _, meter = metered(Machine(), gpus=gpus)

    assert {count.domain for count in meter.counts()} == domains


def test_a_machine_without_the_cpu_channel_is_unavailable():
    with pytest.raises(MeterUnavailable, match="no energy of the CPU"):
        apple.open(source=Chip(Machine(), channels={"GPU Energy": ("nJ", 0.3)}))


@pytest.mark.parametrize(
    ("platform", "machine"), [("linux", "x86_64"), ("linux", "arm64"), ("darwin", "x86_64")]
)
def test_other_machines_have_no_such_chip(monkeypatch, platform, machine):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))

    diagnosis = apple.diagnose()

    assert not diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == "This is no Mac with Apple silicon."


def test_the_diagnosis_names_the_channels():
    diagnosis = apple.diagnose(source=Chip(Machine(), channels=M1_ULTRA))

    assert diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == (
        "cpu: package-0 (DIE_0_CPU Energy + DIE_1_CPU Energy), ram: package-0/dram (DRAM0_0 + DRAM0_1), "
        "gpu: apple-gpu (GPU Energy), gpu: apple-ane (ANE0_0 + ANE0_1)"
    )


class CoreFoundation:
    """The functions of IOReport and CoreFoundation over a simulated chip; a pointer is a place in a list."""

    def __init__(self, chip):
        self.chip, self.objects, self.alive = chip, [None], set()

    def new(self, thing):
        self.objects.append(thing)
        self.alive.add(len(self.objects) - 1)
        return len(self.objects) - 1

    def borrowed(self, thing):
        self.objects.append(thing)
        return len(self.objects) - 1

    def get(self, pointer):
        return self.objects[getattr(pointer, "value", pointer)]

    def libraries(self):
        channels = "IOReportChannels"
        report = {
            "IOReportCopyChannelsInGroup": lambda group, *rest: (
                self.new({}) if self.get(group) == "Energy Model" else None
            ),
            "IOReportCreateSubscription": lambda a, wanted, granted, b, c: self.new("subscription"),
            "IOReportCreateSamples": lambda subscription, wanted, c: (
                None if self.chip.broken else self.new({channels: self.chip.read()})
            ),
            "IOReportChannelGetChannelName": lambda item: self.borrowed(self.get(item).name),
            "IOReportChannelGetUnitLabel": lambda item: self.borrowed(f"{self.get(item).unit}  "),
            "IOReportSimpleGetIntegerValue": lambda item, index: self.get(item).value,
        }
        core = {
            "CFStringCreateWithCString": lambda a, text, encoding: self.new(text.decode()),
            "CFStringGetCString": lambda *given: self.copy_text(*given),
            "CFDictionaryGetCount": lambda dictionary: len(self.get(dictionary)),
            "CFDictionaryCreateMutableCopy": lambda a, size, dictionary: self.new(dict(self.get(dictionary))),
            "CFDictionaryGetValue": lambda dictionary, key: self.borrowed(
                self.get(dictionary)[self.get(key)]
            ),
            "CFArrayGetCount": lambda array: len(self.get(array)),
            "CFArrayGetValueAtIndex": lambda array, place: self.borrowed(self.get(array)[place]),
            "CFRelease": lambda pointer: self.alive.remove(pointer),  # no method: ctypes sets attributes
        }
        return SimpleNamespace(**report), SimpleNamespace(**core)

    def copy_text(self, string, buffer, size, encoding):
        buffer.value = self.get(string).encode()
        return True


def test_channels_are_read_through_the_functions_of_the_system_and_all_is_released():
    chip = Chip(Machine(Constant(40.0)))
    system = CoreFoundation(chip)
    source = _ioreport.IOReport(*system.libraries())

    channels = source.read()
    source.close()

    assert channels == chip.read()
    assert system.alive == set()


def test_a_system_that_gives_no_sample_says_so():
    chip = Chip(Machine(), broken=True)
    system = CoreFoundation(chip)

    with pytest.raises(MeterUnavailable, match="IOReport gives no sample"):
        apple.open(source=_ioreport.IOReport(*system.libraries()))

    assert system.alive == set()
