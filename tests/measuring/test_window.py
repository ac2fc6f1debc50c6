"""A window: what is inside it, what is looked at beside it, and what arrives only after it."""

import os
import time

import pytest

import energy
from energy.measuring.window import Window
from energy.meters import Meters
from energy.reading import Count
from energy.reading.sampling import Paces

WATTS = 50.0


class Fake:
    """A meter of 50 W that logs the order in which it is asked."""

    name, slow, closed, period_seconds = "fake", False, False, None

    def __init__(self):
        self.pid = os.getpid()
        self.calls = []

    def poll(self):
        raise AssertionError("it need not be polled")

    def counts(self):
        self.calls.append("counts")
        now = time.monotonic()
        return (Count("cpu", "package-0", "fake", "measured", WATTS * now, now),)

    def context(self):
        self.calls.append("context")
        return {"package-0": {"temperature_c": 40.0 + len(self.calls)}}

    def faults(self):
        return ()

    def close(self):
        self.closed = True


class Logged(Fake):
    """A meter whose log tells an instant only `late_seconds` after it."""

    patience_seconds = 1.0

    def __init__(self, late_seconds):
        super().__init__()
        self.late_seconds = late_seconds

    def counts(self):
        return (self._count(None, "the log is late", 0.0),)

    def counts_at(self, seconds):
        if time.monotonic() < seconds + self.late_seconds:
            return None
        return (self._count(WATTS * seconds, None, seconds),)

    @staticmethod
    def _count(joules, reason, covered):
        source = "outside_power"
        return Count("machine", "plug.csv", source, "measured", joules, covered, witness=True, reason=reason)


@pytest.fixture
def open_fakes():
    opened = []

    def open_(*fakes):
        opened.append(Meters(fakes))
        return opened[-1]

    yield open_
    for meters in opened:
        energy.close(meters)


def test_the_state_of_the_devices_is_read_outside_the_metered_edges(open_fakes):
    meters = open_fakes(fake := Fake())
    fake.calls.clear()

    with Window(meters) as window:
        fake.calls.append("body")

    assert fake.calls == ["context", "counts", "body", "counts", "context"]
    assert window.context_before == {"package-0": {"temperature_c": 41.0}}
    assert window.context_after == {"package-0": {"temperature_c": 45.0}}


def test_what_arrives_after_the_window_is_waited_for_and_falls_on_its_own_instants(open_fakes):
    meters = open_fakes(Logged(late_seconds=0.2))

    with Window(meters) as window:
        time.sleep(0.05)
        window.mark("epoch")
        time.sleep(0.05)

    (part,) = window.energy.domains
    (half,) = (window.marks[0].reading - window.first).domains
    assert part.joules == pytest.approx(WATTS * window.energy.seconds)
    assert half.joules == pytest.approx(WATTS * (window.marks[0].reading.seconds - window.first.seconds))
    assert time.monotonic() - window.last.seconds >= 0.2  # it waited after the window, not in it


def test_a_log_that_never_arrives_is_unknown_with_its_reason_and_not_waited_for_for_ever(open_fakes):
    meters = open_fakes(Logged(late_seconds=1e6))

    with Window(meters) as window:
        pass

    (part,) = window.energy.domains
    assert (part.joules, part.reason) == (None, "the log is late")


def test_a_window_that_ends_by_an_exception_waits_for_nothing(open_fakes):
    meters = open_fakes(logged := Logged(late_seconds=0.0))

    with pytest.raises(KeyboardInterrupt), Window(meters) as window:
        raise KeyboardInterrupt

    assert logged.calls == ["context", "context"]
    assert window.energy.domains[0].joules is None


def test_windows_nest_and_overlap(open_fakes):
    meters = open_fakes(Fake())

    outer = Window(meters)
    with outer:
        with Window(meters) as inner:
            time.sleep(0.02)
        later = Window(meters).__enter__()
    later.__exit__(None, None, None)

    assert inner.energy.joules() < outer.energy.joules()
    assert later.first.seconds < outer.last.seconds < later.last.seconds


def test_what_measuring_cost_is_added_up(open_fakes):
    meters = open_fakes(Fake())

    with Window(meters):
        pass

    assert meters.cost.readings == 2
    assert meters.cost.cpu_seconds > 0
    assert meters.cost.wall_seconds > 0


class Waiting(Fake):
    """A meter with a counter that moves in steps."""

    def await_moves(self):
        self.calls.append("waited")


def test_a_window_waits_for_a_move_before_its_first_reading_and_not_inside_another(open_fakes):
    meters = open_fakes(fake := Waiting())
    fake.calls.clear()

    with Window(meters):
        fake.calls.append("body")
        with Window(meters):
            pass

    assert fake.calls.count("waited") == 1
    assert fake.calls[:4] == ["context", "waited", "counts", "body"]


def test_a_window_after_one_that_failed_waits_again(open_fakes):
    meters = open_fakes(fake := Waiting())
    with pytest.raises(KeyboardInterrupt), Window(meters):
        raise KeyboardInterrupt
    fake.calls.clear()

    with Window(meters):
        pass

    assert "waited" in fake.calls


class PartTime(Fake):
    """A sensor that sees a quarter of steps of 1 ms, and shows the same for ever."""

    def __init__(self):
        super().__init__()
        self.paces = Paces(700.0, 0.25, 0.001)

    def counts(self):
        now = time.monotonic()
        self.paces.add(WATTS)
        return (
            Count(
                "gpu", "GPU-0", "fake", "measured", WATTS * now, now, paces=self.paces, pace=self.paces.number
            ),
        )


@pytest.mark.parametrize(
    ("batch_seconds", "flags"), [(0.001003, ("aliased",)), (0.0005, ("aliased",)), (0.00137, ())]
)
def test_the_time_of_a_batch_tells_whether_the_sensor_keeps_step(open_fakes, batch_seconds, flags):
    meters = open_fakes(PartTime())

    with Window(meters) as window:
        time.sleep(0.1)
        spent = window.mark("epoch", batch_seconds=batch_seconds)

    assert spent.flags() == window.energy.flags() == flags
    assert (window.energy.band()[0] < 0.7 * window.energy.joules()) == bool(flags)
    assert (window.last - window.first).flags() == ()


@pytest.mark.parametrize("wrong", [0.0, -0.1, float("nan"), float("inf")])
def test_a_batch_takes_some_time(open_fakes, wrong):
    meters = open_fakes(Fake())

    with Window(meters) as window, pytest.raises(ValueError, match="expected seconds above 0"):
        window.mark("epoch", batch_seconds=wrong)
