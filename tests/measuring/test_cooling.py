"""The wait before a window, on a chip that cools exponentially, by a clock that only sleeping moves."""

import functools
import math

import pytest

from energy.measuring import cooling as cooldown
from energy.measuring.case import Case
from energy.measuring.cooling import Cooler, Cooling
from energy.meters import nvml
from tests.simulated.machine import Constant, Machine
from tests.simulated.nvml import Gpu, Library

ROOM_C = 30.0
TAU_SECONDS = 50.0


class Chip:
    """T(t) = room + (start - room) exp(-t / tau), Newton's law of cooling; the sensor shows whole degrees."""

    def __init__(self, start_c, room_c=ROOM_C, name="GPU-0"):
        self.start_c, self.room_c, self.name = start_c, room_c, name
        self.seconds = 0.0
        self.said = []

    def exact_c(self):
        return self.room_c + (self.start_c - self.room_c) * math.exp(-self.seconds / TAU_SECONDS)

    def read(self):
        return {self.name: float(round(self.exact_c()))}

    def now(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds

    def heat(self, to_c):
        self.start_c, self.seconds = to_c, 0.0

    def cooler(self, **options):
        return Cooler(self.read, self.said.append, now=self.now, sleep=self.sleep, **options)


def test_a_chip_is_waited_for_until_it_is_ten_degrees_above_its_start():
    chip = Chip(32.0)
    cooler = chip.cooler()
    chip.heat(70.0)

    cooling = cooler.wait()

    # 30 + 40 exp(-t/50) shows 42 as soon as it is below 42.5: t = 50 ln(40 / 12.5) = 58.2 s.
    assert cooling == Cooling("GPU-0", limit_c=42.0, before_c=70.0, after_c=42.0, waited_seconds=59.0)
    assert cooling.is_cool
    (line,) = chip.said
    assert "70 °C" in line
    assert "42 °C" in line


def test_a_limit_in_degrees_can_be_asked_for():
    chip = Chip(70.0)

    cooling = chip.cooler(limit_c=50.0).wait()

    # 30 + 40 exp(-t/50) = 50.5 at t = 50 ln(40 / 20.5) = 33.4 s.
    assert (cooling.limit_c, cooling.after_c, cooling.waited_seconds) == (50.0, 50.0, 34.0)


def test_a_cool_chip_is_not_waited_for():
    chip = Chip(32.0)

    cooling = chip.cooler().wait()

    assert (cooling.waited_seconds, cooling.is_cool, chip.said) == (0.0, True, [])


def test_after_the_longest_wait_a_chip_that_still_cools_is_measured_warm():
    chip = Chip(90.0)

    cooling = chip.cooler(limit_c=35.0, most_seconds=40.0).wait()

    assert cooling.waited_seconds == 40.0
    assert cooling.after_c == round(30 + 60 * math.exp(-40 / 50))
    assert not cooling.is_cool


def test_a_chip_that_still_cools_is_waited_for_longer_than_a_minute():
    chip = Chip(32.0)
    cooler = chip.cooler()
    chip.heat(90.0)

    # 30 + 60 exp(-t/50) is 42.5 at t = 50 ln(60 / 12.5) = 78.4 s.
    assert cooler.wait().waited_seconds == 79.0


def test_a_chip_that_no_longer_cools_is_waited_for_a_minute():
    chip = Chip(60.0, room_c=60.0)

    cooling = chip.cooler(limit_c=40.0).wait()

    assert cooling.waited_seconds == cooldown.STUCK_SECONDS
    assert not cooling.is_cool


def test_no_wait_at_all_can_be_asked_for():
    chip = Chip(32.0)
    cooler = chip.cooler(most_seconds=0.0)
    chip.heat(90.0)

    assert cooler.wait() is None
    assert chip.seconds == 0.0


def test_where_no_temperature_is_known_nothing_is_waited_for():
    cooler = Cooler(dict, pytest.fail)

    assert cooler.wait() is None


def test_the_warmest_of_two_devices_decides():
    first, second = Chip(32.0, name="a"), Chip(32.0, name="b")
    cooler = Cooler(
        lambda: first.read() | second.read(),
        first.said.append,
        now=first.now,
        sleep=lambda seconds: (first.sleep(seconds), second.sleep(seconds)),
    )
    first.heat(45.0)
    second.heat(70.0)

    cooling = cooler.wait()

    assert (cooling.device, cooling.before_c, cooling.waited_seconds) == ("b", 70.0, 59.0)


def test_a_sensor_that_stops_answering_has_not_said_that_it_is_cool():
    chip = Chip(32.0)
    answers = iter([{"GPU-0": 32.0}, {"GPU-0": 70.0}])
    cooler = Cooler(lambda: next(answers, {}), chip.said.append, now=chip.now, sleep=chip.sleep)

    cooling = cooler.wait()

    assert cooling.after_c == 70.0
    assert not cooling.is_cool
    assert cooling.waited_seconds == cooldown.STUCK_SECONDS


def test_inside_a_window_nothing_is_waited_for():
    chip = Chip(32.0)
    cooler = chip.cooler()
    with cooler.around() as outer:
        chip.heat(70.0)
        with cooler.around() as inner:
            assert inner is None
            assert chip.seconds == 0.0
    with cooler.around() as later:
        assert later.waited_seconds == 59.0
    assert outer.waited_seconds == 0.0


def test_a_window_that_failed_is_not_open():
    chip = Chip(32.0)
    cooler = chip.cooler()
    with pytest.raises(ValueError, match="x"), cooler.around():
        raise ValueError("x")
    chip.heat(70.0)

    assert cooler.wait().waited_seconds == 59.0
    with cooler.around() as again:
        assert again is not None


@pytest.mark.parametrize(("most_seconds", "flags"), [(300.0, ()), (10.0, ("warm_start",))])
def test_a_repeat_that_began_warm_says_so(most_seconds, flags, monkeypatch):
    monkeypatch.setattr("energy.measuring.window.Window.flags", lambda _: ())
    chip = Chip(32.0)
    case = Case("a", [], cooler=chip.cooler(most_seconds=most_seconds))
    chip.heat(70.0)

    with case.window() as repeat:
        waited = chip.seconds

    assert repeat.flags() == flags
    assert repeat.cooling.waited_seconds == waited == min(59.0, most_seconds)
    assert repeat.window.first.seconds >= 0


class Warmed:
    """The temperature of a simulated board: 32 °C at first, 70 °C at 10 s, cooling from then on."""

    def watts(self, seconds):
        late = seconds - 10.0
        return 32.0 if late < 0 else ROOM_C + 40.0 * math.exp(-late / TAU_SECONDS)


def test_a_board_is_waited_for_through_nvml():
    machine = Machine(Constant(100.0))
    library = Library(machine, [Gpu(celsius=Warmed())])
    board = nvml.open([library.gpus[0].uuid], library=library, clock=machine.now, sleep=machine.advance)
    read = functools.partial(cooldown.temperatures, [board])
    cooler = Cooler(read, print, now=machine.now, sleep=machine.advance)
    machine.advance(1010.0 - machine.now())

    cooling = cooler.wait()

    assert (cooling.device, cooling.before_c, cooling.after_c) == (library.gpus[0].uuid, 70.0, 42.0)
    assert cooling.waited_seconds == 59.0


def test_the_cpu_has_a_temperature_where_no_gpu_is_measured(monkeypatch):
    monkeypatch.setattr("energy.measuring.machine.temperature_c", lambda: 55.0)
    assert cooldown.temperatures([]) == {"cpu": 55.0}

    monkeypatch.setattr("energy.measuring.machine.temperature_c", lambda: None)
    assert cooldown.temperatures([]) == {}


@pytest.mark.parametrize(
    ("limit_c", "seconds", "named"),
    [
        (5.0, 300.0, "--energy-cool-to 5"),
        (200.0, 300.0, "--energy-cool-to 200"),
        (float("nan"), 300.0, "--energy-cool-to nan"),
        (None, -1.0, "--energy-cool-max -1"),
        (None, float("nan"), "--energy-cool-max nan"),
        (None, float("inf"), "--energy-cool-max inf"),
    ],
)
def test_what_cannot_be_meant_is_named(limit_c, seconds, named):
    with pytest.raises(ValueError, match=named):
        cooldown.check(limit_c, seconds)
