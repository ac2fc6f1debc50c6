"""The outside meter against real files whose lines follow a known power, and against real commands."""

import itertools
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.meters import outside
from energy.meters._meter import MeterUnavailable
from energy.meters.outside import source as _log_source
from energy.meters.outside import track as _log_track
from energy.reading import Reading
from tests.simulated.machine import Constant, Machine, Ramp, Square, Step, run
from tests.simulated.outside import EPOCH, FORMATS, Logger, between, iso

SHAPES = {
    "constant": Constant(120.0),
    "step": Step(40.0, 180.0, at=8.37),
    "ramp": Ramp(20.0, 200.0, seconds=45.0),
    "square": Square(50.0, 150.0, period=7.3),
}


@pytest.fixture(autouse=True)
def closed_afterwards(monkeypatch):
    """Close what a test opens, so that no file and no command outlives it."""
    opened, init = [], outside.Outside.__init__
    monkeypatch.setattr(
        outside.Outside, "__init__", lambda meter, *args: (opened.append(meter), init(meter, *args))[1]
    )
    yield
    for meter in opened:
        meter.close()


def metered(tmp_path, shape=None, open_with=None, **changes):
    machine = Machine(shape or Constant(100.0))
    logger = Logger(tmp_path / "plug.csv", machine, **changes)
    return machine, logger, opened(logger, **(open_with or {}))


def opened(logger, **options):
    options = {"patience_seconds": 0.0} | options
    return outside.open(source=str(logger.path), clock=logger.now, wall=logger.wall, **options)


def written(tmp_path, *lines, name="plug.csv"):
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def open_file(path, seconds=1000.0, **options):
    options = {"patience_seconds": 0.0} | options
    return outside.open(source=str(path), clock=lambda: seconds, wall=lambda: EPOCH + seconds, **options)


def stamp(seconds):
    return iso(EPOCH + seconds)


def kinds(meter):
    return [fault.kind for fault in meter.faults()]


# What it measures


@pytest.mark.parametrize("late_seconds", [0.0, 3.0])
@pytest.mark.parametrize("period_seconds", [0.2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMATS)
def test_the_truth_lies_in_the_band_in_every_format(tmp_path, form, shape, period_seconds, late_seconds):
    machine, _, meter = metered(
        tmp_path, SHAPES[shape], form=form, period_seconds=period_seconds, late_seconds=late_seconds
    )
    run(machine, meter, 3.21)
    start = machine.now()
    run(machine, meter, 30.5)
    end = machine.now()
    run(machine, meter, 5.0)

    part = between(meter, start, end)
    truth = machine.energy(start, end)

    assert part.band[0] <= truth <= part.band[1]
    assert part.joules == pytest.approx(truth, rel=0.001 if shape in ("constant", "ramp") else 0.05)
    assert (part.coverage, part.witness, part.kind) == (pytest.approx(1.0), True, "measured")
    assert meter.faults() == ()


def test_a_ramp_between_two_samples_is_met_exactly(tmp_path):
    machine, _, meter = metered(tmp_path, Ramp(0.0, 200.0, seconds=40.0))
    run(machine, meter, 30.0)

    assert between(meter, 1010.3, 1010.9).joules == pytest.approx(machine.energy(1010.3, 1010.9), rel=1e-4)


@pytest.mark.parametrize("averages", [False, True])
@pytest.mark.parametrize("form", ["PTDaemon", "csv of Wh"])
def test_without_any_gain_error_the_truth_still_lies_in_the_band(tmp_path, form, averages):
    """A hundred windows whose edges lie anywhere around the steps of power."""
    machine, _, meter = metered(
        tmp_path, Square(50.0, 150.0, period=9.7), {"accuracy": 0.0}, form=form, averages=averages
    )
    run(machine, meter, 70.0)

    known = 0
    for i in range(100):
        start, end = 1005.0 + 0.37 * i, 1005.3 + 0.37 * i + i % 20
        part, truth = between(meter, start, end), machine.energy(start, end)
        if part.joules is None:  # beside a step, a window of a second or two
            assert "exceed its value" in part.reason
            continue
        known += 1
        assert part.band[0] - 0.01 <= truth <= part.band[1] + 0.01, (start, end)
    assert known > 75


def test_a_late_log_is_aligned_by_its_stamps_not_by_its_arrival(tmp_path):
    """At 1010 s the power rises from 50 to 450 W, and the log tells of it at 1013 s."""
    machine, _, meter = metered(tmp_path, Step(50.0, 450.0, at=10.0), late_seconds=3.0)
    run(machine, meter, 30.0)

    low, high = between(meter, 1004.0, 1009.0), between(meter, 1011.0, 1016.0)

    assert (low.joules, high.joules) == (pytest.approx(250.0), pytest.approx(2250.0))


def test_now_is_unknown_and_how_far_the_log_has_come_is_said(tmp_path):
    machine, _, meter = metered(tmp_path, late_seconds=3.0)
    run(machine, meter, 10.5)
    (count,) = meter.counts()

    assert count.joules is None
    assert "the log has reached" in count.reason
    assert f"{machine.now() - 1006.0:.1f} s before this reading" in count.reason
    assert count.last_joules > 0


def test_an_instant_that_the_log_may_still_reach_is_not_answered_yet(tmp_path):
    machine, _, meter = metered(tmp_path, late_seconds=3.0)
    instant = machine.now()
    run(machine, meter, 2.5)
    early = meter.counts_at(instant)
    run(machine, meter, 1.5)

    assert early is None
    assert meter.counts_at(instant)[0].joules is not None


def test_an_instant_before_the_log_began_stays_unknown(tmp_path):
    _, _, meter = metered(tmp_path)

    (count,) = meter.counts_at(900.0)

    assert count.joules is None
    assert "the log begins 95.0 s after this reading" in count.reason


def test_a_window_of_two_unknown_readings_becomes_known_once_the_log_has_passed(tmp_path):
    machine, _, meter = metered(tmp_path, late_seconds=2.0)
    first = Reading(machine.now(), meter.counts())
    run(machine, meter, 20.0)
    last = Reading(machine.now(), meter.counts(), meter.faults())
    run(machine, meter, 4.0)

    assert (last - first).domains[0].joules is None
    assert between(meter, first.seconds, last.seconds).joules == pytest.approx(2000.0)


@pytest.mark.parametrize(
    ("form", "source"), [("csv in UTC", "outside_power"), ("csv of kWh", "outside_counter")]
)
def test_the_count_is_a_witness_of_the_whole_machine_named_without_its_path(tmp_path, form, source):
    _, _, meter = metered(tmp_path, form=form)
    (count,) = meter.counts()

    assert (count.domain, count.device, count.source) == ("machine", "plug.csv", source)
    assert (count.witness, count.kind, count.resolution_seconds) == (True, "measured", 1.0)
    assert (count.low_factor, count.high_factor) == (0.95, 1.05)


def test_the_accuracy_of_a_better_meter_can_be_stated(tmp_path):
    _, _, meter = metered(tmp_path, open_with={"accuracy": 0.001})

    assert meter.counts()[0].high_factor == 1.001


@pytest.mark.parametrize("accuracy", [-0.1, 1.0, 5.0])
def test_an_accuracy_that_is_no_share_is_refused(tmp_path, accuracy):
    with pytest.raises(ValueError, match="expected a share"):
        outside.open(source=str(tmp_path / "plug.csv"), accuracy=accuracy)


@pytest.mark.parametrize("digits", [2, 5])
def test_a_coarse_counter_is_uncertain_by_its_step(tmp_path, digits):
    """Plugs count hundredths of a kWh, 36 kJ at a time, however many digits they print."""
    lines = [f"{stamp(900 + i)},{1 + i // 50 / 100:.{digits}f}" for i in range(601)]
    meter = open_file(written(tmp_path, "time,kwh", *lines), seconds=1600.0)

    part, short = between(meter, 910.0, 1490.0), between(meter, 910.0, 990.0)

    assert part.joules == pytest.approx(11 * 36_000.0)
    assert part.band[0] <= 720.0 * 580.0 <= part.band[1]
    assert (short.joules, short.band) == (None, None)
    assert (
        "its edges (72000.0 J) exceed its value (36000.0 J): the window is too short for it" in short.reason
    )


@pytest.mark.parametrize("watts", [0.4, 100.0])
def test_a_witness_whose_edges_exceed_its_value_is_unknown_and_never_0(tmp_path, watts):
    """A counter of whole Wh over ten seconds: it has not moved, or by a step that is more than theirs."""
    lines = [f"{stamp(900 + i)},{5000 + int(i * watts / 3600)}" for i in range(101)]
    meter = open_file(written(tmp_path, "time,wh", *lines))

    for start in (910.0, 930.0, 950.0, 970.0):
        part = between(meter, start, start + 10.0)
        assert part.joules is None
        assert "exceed its value" in part.reason


def test_rounded_watts_widen_the_band(tmp_path):
    """A board of 1.4 W on a meter without decimals."""
    path = written(tmp_path, "time,watts", *(f"{stamp(900 + i)},1" for i in range(101)))
    meter = open_file(path)

    part = between(meter, 910.0, 990.0)

    assert part.band[0] <= 1.4 * 80.0 <= part.band[1]


@settings(max_examples=60, deadline=None)
@given(
    watts=st.lists(st.floats(0, 900), min_size=5, max_size=40),
    cuts=st.lists(st.floats(0, 1), min_size=3, max_size=8),
    counter=st.booleans(),
    held=st.booleans(),
)
def test_adjacent_windows_add_up_and_inner_ones_are_at_most_the_outer(watts, cuts, counter, held):
    track = _log_track.Track(counter=counter, held=held, note=lambda *_: None)
    total = 0.0
    for i, power in enumerate(watts):
        total += power
        track.add(10.0 + i, total if counter else power, 0.001)
    instants = [10.0 + cut * (len(watts) - 1) for cut in sorted(cuts)]

    joules = [track.at(instant).joules for instant in instants]
    parts = [late - early for early, late in itertools.pairwise(joules)]

    assert all(part >= -1e-9 for part in parts)
    assert sum(parts) == pytest.approx(joules[-1] - joules[0])


# What goes wrong on the way


@pytest.mark.parametrize("form", FORMATS)
def test_a_gap_is_left_out_of_power_and_bridged_by_a_counter(tmp_path, form):
    machine, _, meter = metered(tmp_path, form=form, silent=(1010.0, 1029.5))
    run(machine, meter, 50.0)

    part = between(meter, 1005.0, 1047.0)

    assert part.band[0] <= 4200.0 <= part.band[1]
    if part.source == "outside_power":
        (fault,) = meter.faults()
        assert (fault.kind, fault.seconds, fault.joules_at_stake) == ("gap", 21.0, pytest.approx(2100.0))
        assert (part.joules, part.coverage) == (pytest.approx(2100.0), pytest.approx(21 / 42))
    else:
        assert kinds(meter) == ["unreadable"]
        assert (part.joules, part.coverage) == (pytest.approx(4200.0, rel=1e-3), pytest.approx(1.0))


@pytest.mark.parametrize("form", ["csv in UTC", "csv of joules"])
def test_a_window_that_ends_in_a_gap_keeps_the_truth_in_its_band(tmp_path, form):
    machine, _, meter = metered(tmp_path, Step(300.0, 350.0, at=15.0), form=form, silent=(1010.0, 1029.5))
    run(machine, meter, 50.0)

    for start, end in [(1001.0, 1016.0), (1020.0, 1045.0), (1000.5, 1015.5)]:
        part = between(meter, start, end)
        if part.joules is None:  # nothing says when the joules of the gap came
            assert (form, end < 1020.0) == ("csv of joules", True)
            assert "exceed its value" in part.reason
        else:
            assert part.band[0] <= machine.energy(start, end) <= part.band[1]


def test_a_slow_logger_has_no_gaps(tmp_path):
    """A PDU that is asked once a minute."""
    machine, _, meter = metered(tmp_path, period_seconds=60.0)
    run(machine, meter, 600.0)

    assert between(meter, 1005.0, 1545.0).joules == pytest.approx(54_000.0)
    assert meter.faults() == ()


def test_a_counter_that_begins_anew_is_a_reset_and_no_energy(tmp_path):
    path = written(tmp_path, "time,joules", *(f"{stamp(980 + i)},{7000 + 100 * i}" for i in range(10)))
    meter = open_file(path)
    with path.open("a") as file:
        file.writelines(f"{stamp(990 + i)},{3 + 100 * i}\n" for i in range(10))

    part = between(meter, 980.0, 999.0)

    assert part.joules == pytest.approx(1800.0)
    assert part.band[0] <= 1900.0 <= part.band[1]
    assert [(fault.kind, fault.joules_at_stake) for fault in meter.faults()] == [("reset", 100.0)]


def test_one_wrong_sample_of_a_counter_is_made_good_by_the_next(tmp_path):
    """It must not come back as the energy of all its past."""
    path = written(tmp_path, "time,joules", *(f"{stamp(980 + i)},{7000 + 100 * i}" for i in range(10)))
    meter = open_file(path)
    with path.open("a") as file:
        values = [0, *(7000 + 100 * i for i in range(11, 20))]
        file.writelines(f"{stamp(990 + i)},{value}\n" for i, value in enumerate(values))

    assert between(meter, 980.0, 999.0).joules == pytest.approx(1900.0)
    assert kinds(meter) == ["reset"]


def test_a_jump_that_nothing_draws_is_no_energy(tmp_path):
    path = written(tmp_path, "time,kwh", f"{stamp(980)},7.000", f"{stamp(981)},7.001")
    meter = open_file(path)
    with path.open("a") as file:
        file.write(f"{stamp(982)},9007.002\n{stamp(983)},9007.003\n")

    before, after = meter.counts_at(980.0)[0], meter.counts_at(983.0)[0]
    assert after.joules - before.joules == pytest.approx(7200.0)
    assert kinds(meter) == ["reset"]


def test_a_line_that_is_still_being_written_is_waited_for(tmp_path):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    with logger.path.open("a") as file:
        file.write(logger.text(1009.5)[:-3])
    meter.poll()
    unfinished = meter.faults()
    with logger.path.open("a") as file:
        file.write(logger.text(1009.5)[-3:] + "\n")

    assert meter.counts_at(1009.5)[0].joules is not None
    assert unfinished == meter.faults() == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "1 cells, expected 2"),
        (f"{stamp(1009.5)},", "watts is '', expected a number"),
        (f"{stamp(1009.5)},-1.0", "watts is -1.0, expected at least 0"),
        (f"{stamp(1009.5)},nan", "expected a finite number"),
        (f"{stamp(1009.5)},1e999", "expected a"),
        (f"{stamp(1009.5)},9999999", "at most 200000"),
        ("yesterday,100", "time is 'yesterday', expected a date and time"),
        ("17.5,100", "(seconds since the logger's start), expected offset from UTC stated as before"),
        ("1790001009500,100", "(Unix milliseconds), expected offset from UTC stated as before"),
        (f"{stamp(1005)},100", "not after that of the sample before it"),
        (f"{stamp(4600)},100", "in the future; check the logger's clock and time zone"),
        ("\x00\xff\xfe,1", "expected"),
        (f"{stamp(1009.5)}\r1,100", "is no line of CSV"),
    ],
)
def test_a_bad_line_is_a_fault_that_names_it_and_costs_nothing(tmp_path, line, reason):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    logger.append(line)
    run(machine, meter, 10.0)

    (fault,) = meter.faults()

    assert (fault.kind, fault.joules_at_stake) == ("unreadable", 0.0)
    assert fault.reason.startswith("line 17: ")
    assert reason in fault.reason
    assert between(meter, 1002.0, 1018.0).joules == pytest.approx(1600.0)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("JSON lines of watts", "[1, 2]"),
        ("JSON lines of watts", '{"time": 1790001009.5, "watts": true}'),
        ("JSON lines of watts", '{"time": 1790001009.5, "watts": NaN}'),
        ("JSON lines of watts", '{"time": 1790001009.5, "kwh": 1}'),
        ("JSON lines of watts", '{"time": 1790001009.5}'),
        ("JSON lines of watts", '{"time": null, "watts": 1}'),
        ("JSON lines of watts", '{"time": 1790001009.5, "watts": 1'),
        ("JSON lines of watts", '{"a":' + 5000 * "["),
        ("PTDaemon", "Notice,06-21-2026 16:44:55.123,Watts,20.5"),
        ("PTDaemon", "Time,13-41-2026 16:44:55.123,Watts,20.5"),
        ("csv of joules", f"{stamp(1009.5)},-3"),
    ],
)
def test_a_bad_line_of_another_format_is_a_fault_too(tmp_path, form, line):
    machine, logger, meter = metered(tmp_path, form=form)
    run(machine, meter, 9.5)
    logger.append(line)
    run(machine, meter, 10.0)

    assert kinds(meter) == ["unreadable"]
    assert between(meter, 1002.0, 1018.0).joules == pytest.approx(1600.0)


def test_many_bad_lines_are_one_fault(tmp_path):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 5.0)
    for _ in range(20):
        logger.append("nonsense", "nonsense")
        run(machine, meter, 2.0)

    (fault,) = meter.faults()

    assert "(and 1 more)" in fault.reason


def test_samples_out_of_order_are_sorted_with_a_fault(tmp_path):
    machine, logger, meter = metered(tmp_path, Ramp(0.0, 200.0, seconds=40.0), silent=(1010.0, 1012.5))
    run(machine, meter, 9.9)
    machine.advance(3.0)
    logger.append(logger.text(1012.0), logger.text(1010.0), logger.text(1011.0))
    run(machine, meter, 10.0)

    assert between(meter, 1008.0, 1015.0).joules == pytest.approx(machine.energy(1008.0, 1015.0))
    assert "were not in the order of time" in meter.faults()[0].reason
    assert kinds(meter) == ["unreadable"]


def test_stamps_of_whole_seconds_from_a_faster_logger_are_dropped_with_a_fault(tmp_path):
    """Without it, five samples in one second would be five samples at one instant."""
    path = written(tmp_path, "time,watts", f"{stamp(990)},100")
    meter = open_file(path)
    with path.open("a") as file:
        file.writelines(f"{stamp(991 + i // 5)},100\n" for i in range(40))

    part = between(meter, 990.0, 998.0)

    assert part.joules == pytest.approx(800.0)
    assert "a time came twice" in meter.faults()[0].reason


@pytest.mark.parametrize("how", ["rename", "truncate", "rename without header"])
def test_a_rotated_log_is_followed(tmp_path, how):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    if how == "truncate":
        logger.begin()
    else:
        logger.path.rename(tmp_path / "plug.csv.1")
        logger.path.write_text("" if how.endswith("header") else "time,watts\n")
    run(machine, meter, 10.0)

    assert between(meter, 1002.0, 1018.0).joules == pytest.approx(1600.0)
    assert meter.faults() == ()


def test_a_log_is_followed_from_whatever_folder_the_program_goes_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    machine = Machine(Constant(100.0))
    logger = Logger(Path("plug.csv"), machine)
    meter = opened(logger)
    run(machine, meter, 9.5)
    logger.path = logger.path.absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run(machine, meter, 10.0)

    assert between(meter, 1002.0, 1018.0).joules == pytest.approx(1600.0)
    assert meter.faults() == ()


def test_lines_written_just_before_a_rotation_are_not_lost(tmp_path):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    machine.advance(20.0)
    logger.update()
    logger.path.rename(tmp_path / "plug.csv.1")
    logger.begin()
    run(machine, meter, 10.0)

    assert between(meter, 1002.0, 1035.0).joules == pytest.approx(3300.0)
    assert meter.faults() == ()


def test_a_log_that_vanished_is_said_and_its_window_unknown(tmp_path):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    logger.path.unlink()
    logger.silent = (0.0, float("inf"))
    machine.advance(1.0)
    meter.poll()
    (count,) = meter.counts()

    assert (count.joules, kinds(meter)) == (None, ["unreadable"])
    assert "plug.csv: No such file" in count.reason
    assert str(tmp_path) not in count.reason


def test_a_logger_that_begins_anew_may_move_its_columns(tmp_path):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    logger.append("volts,watts,time")
    logger.line = lambda wall, watts, joules: f"230,{watts},{iso(wall)}"
    run(machine, meter, 10.0)

    assert between(meter, 1002.0, 1018.0).joules == pytest.approx(1600.0)
    assert meter.faults() == ()


@pytest.mark.parametrize("header", ["time,kwh", "time,watts,kwh", "time,volts"])
def test_a_log_that_goes_on_as_another_is_lost_not_misread(tmp_path, header):
    machine, logger, meter = metered(tmp_path)
    run(machine, meter, 9.5)
    logger.append(header)
    run(machine, meter, 10.0)
    (count,) = meter.counts()

    assert (count.joules, kinds(meter)) == (None, ["lost"])
    assert "line 17: a new header" in count.reason
    assert meter.counts_at(1018.0)[0].joules is None
    assert between(meter, 1002.0, 1008.0).joules == pytest.approx(600.0)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 7.0, -7.0, 2.0, -1.5, 0.7, -0.7])
@pytest.mark.parametrize("late_seconds", [0.0, 3.0])
def test_a_step_of_the_wall_clock_is_a_fault_and_moves_no_energy(tmp_path, step, late_seconds):
    """The lines that are on their way were stamped before the clock was set."""
    machine, _, meter = metered(
        tmp_path, Step(50.0, 250.0, at=20.0), late_seconds=late_seconds, wall_steps=[(1015.2, step)]
    )
    run(machine, meter, 40.0)

    part = between(meter, 1005.0, 1033.0)

    assert part.joules == pytest.approx(machine.energy(1005.0, 1033.0), rel=0.03)
    assert part.band[0] <= machine.energy(1005.0, 1033.0) <= part.band[1]
    if abs(step) > late_seconds + 2.0:  # less leaves open which clock a line was stamped by
        assert kinds(meter) == ["clock_step"]
    steps = [fault.reason for fault in meter.faults() if fault.kind == "clock_step"]
    assert len(steps) == 1
    assert f"{step:+.1f} s" in steps[0]


def test_a_clock_that_is_slewed_is_no_step(tmp_path):
    machine, logger, meter = metered(tmp_path)
    logger.wall = lambda seconds=None: EPOCH + 1.0004 * (machine.now() if seconds is None else seconds)
    logger.path.write_text("time,watts\n")
    meter = opened(logger)
    run(machine, meter, 600.0)

    assert meter.faults() == ()
    assert between(meter, 1005.0, 1595.0).joules == pytest.approx(59_000.0, rel=1e-3)


def test_a_logger_s_clock_that_runs_ahead_widens_the_edges(tmp_path):
    machine, _, meter = metered(tmp_path, Step(200.0, 450.0, at=10.0), ahead_seconds=0.8, period_seconds=0.2)
    run(machine, meter, 30.0)

    part = between(meter, 1004.0, 1010.5)

    assert part.band[0] <= machine.energy(1004.0, 1010.5) <= part.band[1]


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("form", ["csv in local time", "PTDaemon", "csv with an offset"])
def test_the_hour_that_local_time_repeats_is_told_from_its_twin(tmp_path, berlin, monkeypatch, form):
    """On 25 October 2026 at 3:00 clocks in Berlin went back to 2:00."""
    turn = 1_792_890_000.0
    assert iso(turn) == "2026-10-25T01:00:00.000+00:00"
    monkeypatch.setattr("tests.simulated.outside.EPOCH", turn - 1100.0)
    machine, _, meter = metered(tmp_path, Step(50.0, 250.0, at=100.0), form=form, late_seconds=2.0)
    run(machine, meter, 200.0)

    part = between(meter, 1050.0, 1150.0)

    assert part.joules == pytest.approx(machine.energy(1050.0, 1150.0), rel=0.01)
    assert meter.faults() == ()


def test_what_the_log_is_and_how_its_times_were_read_is_told(tmp_path):
    machine, _, meter = metered(tmp_path, form="csv in local time", late_seconds=3.0)
    run(machine, meter, 10.0)

    (state,) = meter.context().values()
    late_seconds = state.pop("late_seconds")

    assert 3.0 <= late_seconds <= 6.0
    assert state == {
        "format": "CSV",
        "value": "watts",
        "stamps": "no zone stated, taken as local time",
        "period_seconds": 1.0,
    }


def test_a_long_log_is_read_from_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_log_source, "TAIL_LINES", 2000)
    lines = [f"{stamp(-19_000 + i)},{7 if i < 19_900 else 100}" for i in range(20_000)]
    path = written(tmp_path, "time,watts", *lines)
    meter = open_file(path)
    with path.open("a") as file:
        file.write("nonsense\n")
    meter.poll()

    assert between(meter, 950.0, 999.0).joules == pytest.approx(4900.0)
    assert len(meter._log.track._seconds) < 3000
    assert meter.faults()[0].reason.startswith("line 20002: ")


# What cannot be opened


def test_without_a_source_there_is_no_outside_meter():
    with pytest.raises(MeterUnavailable, match="No outside meter was named") as problem:
        outside.open()

    assert "--energy-outside PATH" in problem.value.remedy
    assert not outside.diagnose().works


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["time,watts,kwh", "x"], "line 1: 1 cells, expected 3 (time, watts, kwh)"),
        (["time,watts,watts"], "2 columns hold watts: 'watts', 'watts (3)'; say which: value='watts'"),
        (
            ["time,volts,amps"],
            "no column is a power (power, W, kW ...) or an energy (Wh, kWh, J): 'volts', 'amps'",
        ),
        (["watts,volts"], "no column is a time (time, timestamp, date ...): 'watts', 'volts'"),
        (["100.0", "101.0"], "'100.0' has no time"),
        (["{", "}"], "is not JSON"),
        (["\x7fELF\x00\x01"], "is no format of a power log"),
        (
            ["time,watts", "12:00,100"],
            "line 2: its newest time is '12:00', which is near now neither as UTC nor",
        ),
        (["time,watts", f"{stamp(8200)},100"], "line 2: its time is 7200.0 s in the future"),
        (["time,watts", f"{stamp(990)},100 VA"], "line 2: watts is '100 VA', expected watts"),
        (["time,watts", f"{stamp(990)},"], "line 2: watts is '', expected a number"),
        (["time,watts", f"{stamp(990)},100", "time,kwh"], "line 3: a new header names kwh"),
        ([], "no line came"),
    ],
)
def test_a_log_that_makes_no_sense_is_unavailable_with_file_and_line(tmp_path, lines, reason):
    path = written(tmp_path, *lines)

    with pytest.raises(MeterUnavailable) as problem:
        open_file(path)

    assert str(path) in problem.value.reason
    assert reason in problem.value.reason
    assert problem.value.remedy


@pytest.mark.parametrize("lines", [["time,watts"], ["\ufefftime,watts"]])
def test_a_log_of_a_header_only_is_waited_for(tmp_path, lines):
    """Byte order marks come from Windows."""
    path = written(tmp_path, *lines)
    meter = open_file(path)
    (early,) = meter.counts()
    with path.open("a") as file:
        file.writelines(f"{stamp(990 + i)},100\r\n" for i in range(5))

    assert "the log holds no sample yet" in early.reason
    assert between(meter, 990.0, 994.0).joules == pytest.approx(400.0)


def test_a_missing_file_and_a_folder_are_unavailable(tmp_path):
    with pytest.raises(MeterUnavailable, match=r"plug\.csv cannot be read \(No such file"):
        outside.open(source=str(tmp_path / "plug.csv"))
    with pytest.raises(MeterUnavailable, match="is not a file"):
        outside.open(source=str(tmp_path))


def test_a_closed_meter_says_so_and_keeps_what_it_knows(tmp_path):
    machine, _, meter = metered(tmp_path)
    run(machine, meter, 10.5)

    meter.close()
    meter.close()

    assert "the meter is closed" in meter.counts()[0].reason
    assert meter.counts_at(1500.0)[0].joules is None
    assert between(meter, 1002.0, 1008.0).joules == pytest.approx(600.0)


def test_diagnosis_says_what_is_measured_and_how_its_times_are_read(tmp_path):
    path = written(tmp_path, "time,kwh", f"{time.time():.3f},1.0")

    assert outside.diagnose(source=str(path)).what == "machine: plug.csv (CSV, kwh, Unix seconds)"


# Commands

PLUG = """
import sys, time
{before}
while True:
    print({value}, flush=True)
    time.sleep(0.02)
"""


def command(tmp_path, script):
    path = tmp_path / "plug.py"
    path.write_text(script)
    return f"!{sys.executable} {path}"


def plug(tmp_path, value="42.5", before=""):
    return command(tmp_path, PLUG.format(value=value, before=before))


def wait_for(condition, meter):
    deadline = time.monotonic() + 20.0
    while not condition() and time.monotonic() < deadline:
        meter.poll()
        time.sleep(0.02)
    assert condition()


def ended(pid):
    """Whether no such process is left, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("value", "before", "form"),
    [
        ("42.5", "", "bare numbers"),
        ('f"{time.time()},42.5"', 'print("time,watts", flush=True)', "CSV"),
        ('f\'{{"time": {time.time()}, "joules": {42.5 * time.time()}}}\'', "", "JSON lines"),
    ],
)
def test_a_real_command_is_read_and_stopped(tmp_path, value, before, form):
    with_name = Path(sys.executable).name
    meter = outside.open(source=plug(tmp_path, value, before))
    pid = meter._log.source._process.pid
    start = time.monotonic()
    wait_for(lambda: meter.counts_at(start + 0.5) is not None, meter)

    part = between(meter, start, start + 0.5)
    meter.close()

    assert part.joules == pytest.approx(42.5 * 0.5, rel=0.2)
    assert (part.device, meter.context()[with_name]["format"]) == (with_name, form)
    assert ended(pid)


def test_a_command_that_ends_is_lost_with_its_exit_code_and_last_words(tmp_path):
    script = "import sys\nprint(42.5, flush=True)\nsys.stdin.read()\nimport time; time.sleep(0.3)\n"
    script += 'print("socket closed\\nplug is gone", file=sys.stderr)\nsys.exit(3)\n'
    meter = outside.open(source=command(tmp_path, script))
    pid = meter._log.source._process.pid
    wait_for(lambda: meter.faults(), meter)
    (fault,) = meter.faults()
    later = time.monotonic() + 100.0

    assert fault.kind == "lost"
    assert fault.reason.endswith("ended with exit code 3 (plug is gone)")
    assert meter.counts_at(later)[0].joules is None
    assert "exit code 3" in meter.counts()[0].reason
    assert ended(pid)


def test_a_command_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("energy.meters.outside.source.STOP_SECONDS", 0.2)
    before = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
    meter = outside.open(source=plug(tmp_path, before=before))
    pid = meter._log.source._process.pid

    meter.close()

    assert ended(pid)


def test_what_the_command_started_ends_with_it(tmp_path):
    path = tmp_path / "plug.py"
    path.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    meter = outside.open(source=f"!sh -c '{sys.executable} {path}; true'")
    child = int(meter._log.track._watts[-1])
    assert child != meter._log.source._process.pid

    meter.close()

    wait_for(lambda: ended(child), meter)


def test_a_chatty_command_is_neither_blocked_nor_waited_for(tmp_path):
    before = 'print(200000 * "x", file=sys.stderr, flush=True)'
    meter = outside.open(source=plug(tmp_path, before=before))
    start = time.monotonic()

    wait_for(lambda: meter.counts_at(start + 0.2) is not None, meter)
    meter.close()


def test_a_command_that_prints_without_a_pause_is_read_a_piece_at_a_time(tmp_path, monkeypatch):
    """Waiting for the end of what has none would take all memory; 400 bytes are 100 lines."""
    monkeypatch.setattr(_log_source, "MOST_BYTES", 400)
    script = "import os\nwhile True:\n    os.write(1, 1000 * b'50.\\n')\n"
    source = _log_source.Command(command(tmp_path, script)[1:])

    lines = []
    deadline = time.monotonic() + 20.0
    while not lines and time.monotonic() < deadline:
        lines = source.lines()
    source.close("the test is over")

    assert [text for _, text in lines] == 100 * ["50."]


def test_half_a_line_of_a_command_is_waited_for(tmp_path):
    """A read in its middle must not take 42 for 42.5."""
    script = """
import sys, time
while True:
    for part in ("4", "2.", "5\\n"):
        sys.stdout.write(part)
        sys.stdout.flush()
        time.sleep(0.01)
"""
    meter = outside.open(source=command(tmp_path, script))
    start = time.monotonic()
    wait_for(lambda: meter.counts_at(start + 0.5) is not None, meter)
    meter.close()

    assert set(meter._log.track._watts) == {42.5}


def test_lines_without_a_time_are_read_often_and_others_once_a_second(tmp_path):
    _, _, file_meter = metered(tmp_path)
    command_meter = outside.open(source=plug(tmp_path))
    command_meter.close()

    assert (file_meter.period_seconds, command_meter.period_seconds) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("!", "no command after"),
        ("!no-such-command-anywhere --watts", "'no-such-command-anywhere' does not start"),
        ("!'unfinished", "No closing quotation"),
        (f"!{sys.executable} -c pass", "ended with exit code 0 and said nothing"),
        (f"!{sys.executable} -c 'raise SystemExit(\"no plug\")'", "exit code 1 .no plug."),
        (f"!{sys.executable} -c 'print(\"hello\")'", "'hello' is no format of a power log"),
    ],
)
def test_a_command_that_cannot_measure_is_unavailable(source, reason):
    with pytest.raises(MeterUnavailable, match=reason):
        outside.open(source=source)


def test_a_command_that_says_nothing_is_not_waited_for_longer_than_told():
    sleeper = f"!{sys.executable} -c 'import time; time.sleep(600)'"

    with pytest.raises(MeterUnavailable, match="no line came in time"):
        outside.open(source=sleeper, patience_seconds=0.1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_never_ends_the_command(tmp_path):
    meter = outside.open(source=plug(tmp_path))
    child = os.fork()
    if child == 0:
        meter.close()
        meter._log.source.close("by the child")
        os._exit(1 if meter.closed else 0)
    _, status = os.waitpid(child, 0)
    start = time.monotonic()
    wait_for(lambda: meter.counts_at(start) is not None, meter)

    assert os.waitstatus_to_exitcode(status) == 0
    assert meter.counts_at(start)[0].joules is not None
    assert meter.faults() == ()
