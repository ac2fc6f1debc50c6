"""The EMI meter against devices that answer with bytes after emi.h and whose energy is known exactly."""

import struct
from types import SimpleNamespace

import pytest

from energy.meters import emi
from energy.meters._meter import MeterUnavailable
from energy.meters.emi import windows as _emi_windows
from energy.meters.emi.interface import INTERFACE, channel_names, measured_joules
from tests.simulated.emi import Channel, Meter, laptop, metadata_v1, metadata_v2
from tests.simulated.machine import Constant, Machine, Ramp, Sine, Square, Step, run, take

SHAPES = {
    "constant": Constant(120.0),
    "step": Step(40.0, 180.0, at=8.37),
    "ramp": Ramp(20.0, 200.0, seconds=45.0),
    "square": Square(50.0, 150.0, period=1.3),
    "sine": Sine(100.0, 80.0, period=3.1, start=4.0, end=30.0),
}


def metered(machine, *devices):
    return emi.open(find=lambda: devices, clock=machine.now)


def measured(machine, meter, seconds):
    run(machine, meter, 3.21)
    before = take(machine, meter)
    run(machine, meter, seconds)
    after = take(machine, meter)
    return after - before, machine.energy(before.seconds, after.seconds)


@pytest.mark.parametrize("seconds", [1.0, 10.05, 60.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_truth_lies_in_the_band_and_is_met_to_one_percent(shape, seconds):
    machine = Machine(SHAPES[shape])
    meter = metered(machine, Meter(machine))

    energy, truth = measured(machine, meter, seconds)

    assert energy.band()[0] <= truth <= energy.band()[1]
    assert energy.joules() == pytest.approx(truth, rel=0.01)


def test_packages_and_dram_count_and_no_part_of_them():
    machine = Machine(Constant(50.0))
    meter = metered(machine, *laptop(machine))

    energy, _ = measured(machine, meter, 20.0)

    assert {(part.domain, part.device): round(part.joules) for part in energy.domains} == {
        ("cpu", "package-0"): 1000,
        ("ram", "package-0/dram"): 80,
    }
    assert energy.flags() == ()


def test_two_packages_both_count():
    machine = Machine(Constant(50.0))
    second = Meter(machine, [Channel("RAPL_Package1_PKG", Constant(30.0), start_joules=90_000.0)])
    meter = metered(machine, Meter(machine), second)

    assert measured(machine, meter, 20.0)[0].joules("cpu") == pytest.approx(1600.0)


def test_dies_that_mirror_one_counter_count_once():
    machine = Machine(Constant(50.0))
    dies = [Meter(machine, [Channel(f"RAPL_Package0_Die{die}_PKG")]) for die in range(4)]
    meter = metered(machine, *dies)

    assert measured(machine, meter, 20.0)[0].joules("cpu") == pytest.approx(1000.0)


def test_a_reset_is_no_energy():
    machine = Machine(Constant(120.0))
    meter = metered(machine, Meter(machine, [Channel("RAPL_Package0_PKG", reset_at=1015.0)]))
    run(machine, meter, 1.0)  # until it knows the power, its edges are at most what a package can draw
    before = take(machine, meter)
    run(machine, meter, 30.0)
    energy = take(machine, meter) - before
    truth = 120.0 * energy.seconds

    assert energy.flags() == ("low_coverage", "reset")
    assert truth - 2 * 120.0 <= energy.joules() <= truth
    assert energy.band()[0] <= truth <= energy.band()[1]


def test_a_failed_request_costs_nothing_once_the_next_is_answered():
    machine = Machine(Constant(120.0))
    device = Meter(machine)
    meter = metered(machine, device)
    run(machine, meter, 1.0)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    device.error = 31
    run(machine, meter, 5.0)
    device.error = None
    run(machine, meter, 15.0)
    energy = take(machine, meter) - before

    assert energy.joules() == pytest.approx(3600.0)
    assert [fault.kind for fault in energy.faults] == ["unreadable"]
    assert energy.flags() == ()


def test_a_short_answer_is_unreadable_not_a_number():
    machine = Machine(Constant(120.0))
    device = Meter(machine)
    meter = metered(machine, device)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    device.short = True
    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "an EMI answer of 15 bytes, expected at least 16" in energy.headline()[0].reason


def test_a_device_that_is_not_connected_any_more_is_lost():
    machine = Machine(Constant(120.0))
    device = Meter(machine)
    meter = metered(machine, device)
    before = take(machine, meter)
    run(machine, meter, 10.0)
    device.error = 1167
    run(machine, meter, 5.0)
    energy = take(machine, meter) - before

    assert energy.joules() is None
    assert "lost_device" in energy.flags()


def test_a_counter_that_stands_still_is_unknown_not_zero():
    machine = Machine(Constant(0.0))
    meter = metered(machine, Meter(machine))

    energy, _ = measured(machine, meter, 10.0)

    assert energy.joules() is None
    assert "stood still" in energy.headline()[0].reason


def test_one_watt_hour_is_3600_joules():
    answer = struct.pack("<QQ", 10**12, 123) + struct.pack("<QQ", 5 * 10**11, 124)

    assert measured_joules(answer, 2) == [3600.0, 1800.0]


def test_names_of_version_2_are_read_one_after_another():
    assert channel_names(2, metadata_v2("RAPL_Package0_PKG", "RAPL_Package0_DRAM")) == [
        "RAPL_Package0_PKG",
        "RAPL_Package0_DRAM",
    ]


def test_bytes_written_out_by_hand_are_read_as_emi_h_says():
    """Two channels A and Bc: offsets 64, 66, 68 (unit), 72 (size), 74 (name)."""
    raw = bytes(64) + b"\x01\x00" + b"\x02\x00"
    raw += b"\x00\x00\x00\x00" + b"\x04\x00" + b"A\x00\x00\x00"
    raw += b"\x00\x00\x00\x00" + b"\x06\x00" + b"B\x00c\x00\x00\x00"

    assert channel_names(2, raw) == ["A", "Bc"]


def test_the_name_of_version_1_is_that_of_the_metered_hardware():
    assert channel_names(1, metadata_v1("CPU rail")) == ["CPU rail"]


@pytest.mark.parametrize(
    ("version", "metadata", "message"),
    [
        (3, b"", "EMI version 3, expected 1 or 2"),
        (2, metadata_v2("RAPL_Package0_PKG", unit=1), r"EMI unit 1, expected 0 \(picowatt-hours\)"),
        (1, metadata_v1("CPU", unit=1), r"EMI unit 1, expected 0 \(picowatt-hours\)"),
        (2, metadata_v2("RAPL_Package0_PKG")[:-1], "expected at least 110"),
        (2, b"\0" * 10, "an EMI answer of 10 bytes"),
    ],
)
def test_metadata_of_another_shape_is_refused(version, metadata, message):
    with pytest.raises(ValueError, match=message):
        channel_names(version, metadata)


def test_a_device_of_another_unit_makes_the_meter_unavailable_and_is_closed():
    device = Meter(Machine(), unit=7)

    with pytest.raises(MeterUnavailable, match="EMI unit 7"):
        emi.open(find=lambda: [device])

    assert device.closed


def test_channels_that_are_no_packages_are_named():
    """A Snapdragon's channels do not say what they contain."""
    machine = Machine()

    with pytest.raises(MeterUnavailable, match=r"channels: CPU_CLUSTER_0, SYS"):
        metered(machine, Meter(machine, [Channel("CPU_CLUSTER_0"), Channel("SYS")]))


def test_a_meter_that_may_not_be_opened_says_so():
    def refuse():
        raise OSError(5, "Access is denied")

    with pytest.raises(MeterUnavailable, match="Access is denied"):
        emi.open(find=refuse)


def test_other_systems_have_no_such_meter():
    diagnosis = emi.diagnose()

    assert not diagnosis.works
    assert diagnosis.untested
    assert "Windows 11" in diagnosis.remedy


def test_the_diagnosis_names_the_packages():
    diagnosis = emi.diagnose(find=lambda: laptop(Machine()))

    assert diagnosis.works
    assert diagnosis.untested
    assert diagnosis.what == "cpu: package-0, ram: package-0/dram"


def test_closing_releases_the_devices():
    machine = Machine()
    device = Meter(machine)
    meter = metered(machine, device)

    meter.close()

    assert device.closed
    assert [count.reason for count in meter.counts()] == ["the meter is closed"]


def test_two_channels_of_one_name_are_not_guessed_at():
    machine = Machine()
    second = Meter(machine, [Channel("RAPL_Package0_PKG", start_joules=90_000.0)])

    with pytest.raises(MeterUnavailable, match="one name"):
        metered(machine, Meter(machine), second)


class Windows:
    """The functions of cfgmgr32 and kernel32 over simulated devices; a handle is a place in them plus 1."""

    def __init__(self, *devices):
        self.devices = devices
        self.list = "".join(f"{device.path}\0" for device in devices) + "\0"
        self.error = 0
        self.guids = []

    def library(self, name):
        def size(length, guid, device, flags):
            self.guids.append(guid.raw)
            length._obj.value = len(self.list)
            return 0

        def fill(guid, device, text, length, flags):
            text[: len(self.list)] = self.list
            return 0

        def create(path, *rest):
            self.error = 5
            fits = [not device.error and device.path == path for device in self.devices]
            return fits.index(True) + 1 if any(fits) else None

        def control(handle, request, given, given_size, answer, size, length, overlapped):
            raw = self.devices[handle - 1].ask(request, size)
            answer[: len(raw)] = raw
            length._obj.value = len(raw)
            return 1

        def close(handle):
            self.devices[handle - 1].close()

        return SimpleNamespace(
            CM_Get_Device_Interface_List_SizeW=size,
            CM_Get_Device_Interface_ListW=fill,
            CreateFileW=create,
            DeviceIoControl=control,
            CloseHandle=close,
        )

    def install(self, monkeypatch):
        monkeypatch.setattr(_emi_windows, "_library", self.library)
        monkeypatch.setattr(_emi_windows.ctypes, "get_last_error", lambda: self.error, raising=False)


def test_devices_are_found_and_asked_through_the_windows_functions(monkeypatch):
    machine = Machine(Constant(50.0))
    first, second = laptop(machine)
    first.path = r"\\?\first"
    windows = Windows(first, second)
    windows.install(monkeypatch)
    meter = emi.open(find=lambda: _emi_windows.open_devices(INTERFACE), clock=machine.now)

    energy, _ = measured(machine, meter, 20.0)
    meter.close()

    assert energy.joules("cpu") == pytest.approx(1000.0)
    assert (first.closed, second.closed) == (True, True)
    assert windows.guids == [bytes.fromhex("4483bd45d67ecf49a440c276c933b053")]


def test_a_device_that_refuses_to_open_closes_those_that_did_not(monkeypatch):
    first, second = laptop(Machine())
    first.path, second.error = r"\\?\first", 5
    Windows(first, second).install(monkeypatch)

    with pytest.raises(OSError, match="Windows error 5"):
        _emi_windows.open_devices(INTERFACE)

    assert first.closed
