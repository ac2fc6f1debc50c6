"""What a user says of an outside meter, and what it finds out by itself: zones, patience, what holds."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from energy.meters import outside
from energy.meters._meter import MeterUnavailable
from energy.meters.outside.options import Options, read_options
from tests.simulated.machine import Constant, Machine, Square, Step, run
from tests.simulated.outside import Logger, between

NOON = 1_785_585_600.0  # 2026-08-01T12:00:00Z: summer time in Warsaw and in Los Angeles
ZONES = ("UTC", "Europe/Warsaw", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland")


@pytest.fixture
def zone(monkeypatch):
    """Return what puts this machine into a time zone."""

    def put(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


def write(path, lines, encoding="utf-8"):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


def open_at(source, wall, seconds=1000.0, **options):
    options = {"patience_seconds": 0.0} | options
    return outside.open(source=str(source), clock=lambda: seconds, wall=lambda: wall, **options)


def ptdaemon(stamp, watts):
    clock = f"{stamp:%m-%d-%Y %H:%M:%S}.{stamp.microsecond // 1000:03d}"
    return f"Time,{clock},Watts,{watts:.6f},Volts,229.08,Mark,run"


# Words before the source


def test_words_before_and_behind_a_file_say_how_it_is_read():
    source, options = read_options("tz=Europe/Warsaw accuracy=0.1% a log of mine.csv patience=30")

    assert source == "a log of mine.csv"
    assert (str(options.zone), options.accuracy, options.patience_seconds) == ("Europe/Warsaw", 0.001, 30.0)


def test_the_words_of_a_command_are_its_own():
    source, options = read_options("accuracy=0.02 !read-plug tz=local accuracy=0.5")

    assert source == "!read-plug tz=local accuracy=0.5"
    assert options == Options(accuracy=0.02)


def test_a_column_with_spaces_is_quoted():
    _, options = read_options("value='Active Power [kW]' temperature=\"Ambient (F)\" pdu.csv")

    assert (options.value, options.temperature) == ("Active Power [kW]", "Ambient (F)")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("accuracy=good", "accuracy=good: expected 0.1% or 0.001"),
        ("accuracy=500%", "accuracy=500%: expected 0.1% or 0.001"),
        ("accuracy=-1%", "accuracy=-1%: expected 0.1% or 0.001"),
        ("patience=long", "patience=long: expected seconds"),
        ("tz=Middle/Earth", "tz=Middle/Earth: expected UTC, \\+02:00 or Europe/Warsaw"),
        ("tz=Europe", "tz=Europe: expected UTC"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused_with_what_was_expected(words, reason):
    with pytest.raises(ValueError, match=reason):
        read_options(f"{words} plug.csv")


def test_a_stated_accuracy_is_the_band_of_a_steady_load(tmp_path):
    """An analyser of 0.1 % whose digits are finer still."""
    machine = Machine(Constant(100.0))
    logger = Logger(tmp_path / "plug.csv", machine)
    meter = outside.open(source=f"accuracy=0.1% {logger.path}", clock=logger.now, wall=logger.wall)
    run(machine, meter, 60.0)

    part = between(meter, 1002.0, 1052.0)

    assert part.band == (pytest.approx(4995.0, rel=1e-4), pytest.approx(5005.0, rel=1e-4))


@pytest.mark.parametrize(("name", "cell", "celsius"), [("room", "21.5", 21.5), ("Ambient (F)", "68.0", 20.0)])
def test_a_temperature_beside_the_power_is_in_the_state_of_the_meter(tmp_path, name, cell, celsius):
    """Under a name of its own: what warms a room is no GPU that must cool before the next case."""
    path = write(tmp_path / "plug.csv", [f"time,watts,{name}", f"2026-08-01T12:00:00Z,100,{cell}"])
    meter = open_at(f"temperature='{name}' {path}", NOON + 1.0)

    assert meter.context()["plug.csv"]["logged_temperature_c"] == pytest.approx(celsius)
    assert "logged_temperature_c" not in open_at(path, NOON + 1.0).context()["plug.csv"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    path = write(tmp_path / "plug.csv", ["time,watts", "2026-08-01T12:00:00Z,100"])

    with pytest.raises(MeterUnavailable, match=r"no column 'room' \(one of: 'time', 'watts'\)"):
        open_at(f"temperature=room {path}", NOON + 1.0)


# Zones


@pytest.mark.parametrize("written", ["UTC", "local"])
@pytest.mark.parametrize("place", ZONES)
def test_stamps_without_a_zone_are_utc_or_local_whichever_is_near_now(tmp_path, zone, place, written):
    """MLPerf's server writes UTC, most plugs local time. A ramp: each mean depends on where its window is."""
    zone(place)
    moments = [NOON + second for second in range(-600, 1)]
    stamps = [datetime.fromtimestamp(moment, UTC if written == "UTC" else None) for moment in moments]
    path = write(
        tmp_path / "spl.txt", [ptdaemon(stamp, 100.0 + number / 4) for number, stamp in enumerate(stamps)]
    )
    meter = open_at(path, NOON + 0.5, seconds=1000.5)

    part = between(meter, 500.0, 900.0)

    assert part.joules / 400.0 == pytest.approx(100.0 + (100 + 500) / 2 / 4, rel=1e-6)
    how = meter.context()["spl.txt"]["stamps"]
    assert (
        how == f"no zone stated, taken as {'local time' if written == 'local' else 'UTC'}" or place == "UTC"
    )


def test_a_stamp_that_is_near_now_in_no_zone_is_refused_with_the_remedy(tmp_path, zone):
    zone("Europe/Warsaw")
    path = write(tmp_path / "spl.txt", [ptdaemon(datetime(2021, 3, 3, 0, 53, 46, 184000), 5.8)])

    with pytest.raises(MeterUnavailable, match="near now neither as UTC nor as local time: state its zone"):
        open_at(path, NOON)


@pytest.mark.parametrize("words", ["tz=UTC", "tz=+00:00"])
def test_a_zone_that_is_stated_needs_no_now(tmp_path, zone, words):
    zone("America/Los_Angeles")
    moment = datetime(2021, 3, 3, 0, 53, 46, tzinfo=UTC)
    path = write(
        tmp_path / "spl.txt", [ptdaemon(moment + timedelta(seconds=number), 5.8) for number in range(60)]
    )
    meter = open_at(f"{words} {path}", NOON)
    start = 1000.0 - NOON + moment.timestamp()

    assert between(meter, start + 10.0, start + 50.0).joules == pytest.approx(40 * 5.8)


def test_a_day_and_a_month_that_could_be_swapped_are_told_apart_by_now(tmp_path, zone):
    zone("UTC")
    for form in ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"):
        lines = [f"{datetime.fromtimestamp(NOON + n, UTC):{form}},100" for n in range(-9, 1)]
        meter = open_at(write(tmp_path / "plug.csv", ["time,watts", *lines]), NOON + 0.5)

        assert between(meter, 992.0, 998.0).joules == pytest.approx(600.0)


def test_midnight_is_crossed_by_times_of_day_and_by_ambiguous_dates(tmp_path, zone):
    zone("Europe/Warsaw")
    midnight = datetime(2026, 3, 3, 23, 0, 0, tzinfo=UTC)  # in Warsaw the 4th of March begins
    local = timezone(timedelta(hours=1))
    for header, form in (
        ("Time,W", "%H:%M:%S"),
        ("Date,W", "%d/%m/%Y %H:%M:%S"),
        ("Date,W", "%m/%d/%Y %H:%M:%S"),
    ):
        stamps = [(midnight + timedelta(seconds=n)).astimezone(local) for n in range(-30, 31)]
        rows = [f"{stamp:{form}},100" for stamp in stamps]
        path = write(tmp_path / "plug.csv", [header, *rows[:20]])
        now = [midnight.timestamp() - 10.5]
        meter = outside.open(
            source=str(path), patience_seconds=0.0, clock=lambda now=now: now[0], wall=lambda now=now: now[0]
        )
        with path.open("a") as file:
            for row in rows[20:]:
                file.write(f"{row}\n")
                file.flush()
                now[0] += 1.0
                meter.poll()

        assert meter.faults() == ()
        assert between(meter, now[0] - 50.0, now[0] - 2.0).joules == pytest.approx(4800.0)


# How late a log may be


@pytest.mark.parametrize(("period", "late"), [(1.0, 0.0), (10.0, 0.0), (30.0, 0.0), (1.0, 9.0), (30.0, 20.0)])
def test_patience_follows_the_period_of_the_log_and_how_late_it_comes(tmp_path, period, late):
    """A plug that logs every 10 s or more was waited for 5 s, and unknown."""
    machine = Machine(Square(50.0, 150.0, period=7.3))
    logger = Logger(tmp_path / "plug.csv", machine, period_seconds=period, late_seconds=late)
    meter = outside.open(source=str(logger.path), clock=logger.now, wall=logger.wall)
    run(machine, meter, 200.0)
    for _ in range(10):  # at whatever phase the window ends
        end = machine.now()
        patience = meter.patience_seconds
        while meter.counts_at(end) is None and machine.now() < end + patience:
            machine.advance(0.5)

        assert meter.counts_at(end)[0].joules is not None
        run(machine, meter, 0.37 * period)


def test_patience_that_is_stated_is_kept_to(tmp_path):
    machine = Machine(Constant(100.0))
    logger = Logger(tmp_path / "plug.csv", machine, period_seconds=30.0)
    meter = outside.open(source=f"patience=2.5 {logger.path}", clock=logger.now, wall=logger.wall)

    assert meter.patience_seconds == 2.5


def test_nobody_is_waited_for_longer_than_two_minutes_unless_that_is_stated(tmp_path):
    machine = Machine(Constant(100.0))
    logger = Logger(tmp_path / "plug.csv", machine, period_seconds=900.0)
    meter = outside.open(source=str(logger.path), clock=logger.now, wall=logger.wall)

    assert meter.patience_seconds == 120.0


# A value that holds until it changes


def changes(tmp_path, rows, extra=()):
    stamps = [datetime.fromtimestamp(NOON + seconds, UTC).isoformat() for seconds, _ in rows]
    lines = [f"sensor.rack_power,{value},{stamp}" for (_, value), stamp in zip(rows, stamps, strict=True)]
    return write(tmp_path / "history.csv", ["entity_id,state,last_changed", *lines, *extra])


def test_a_value_that_is_logged_on_change_holds_until_the_next(tmp_path):
    """100 W for 30 s and 300 W for 10 s: 6000 J, where a trapezoid would have 8000."""
    path = changes(tmp_path, [(-60, 100), (-30, 300), (-20, 100), (0, 100.1)])
    meter = open_at(path, NOON + 0.5, seconds=1000.5)

    assert between(meter, 940.0, 980.0).joules == pytest.approx(30 * 100 + 10 * 300)
    assert between(meter, 965.0, 975.0).joules == pytest.approx(500 + 5 * 300)
    assert meter.faults() == ()


def test_a_value_holds_on_once_no_change_has_come_in_time_and_not_before(tmp_path):
    path = changes(tmp_path, [(-60, 100), (-30, 300)])
    now = [1000.0]
    meter = outside.open(source=str(path), clock=lambda: now[0], wall=lambda: NOON + now[0] - 1000.0)
    early = meter.counts_at(1000.0)
    now[0] += meter.patience_seconds

    assert early is None
    assert between(meter, 970.0, 1000.0).joules == pytest.approx(9000.0)


def test_a_value_that_has_not_changed_for_five_minutes_holds_no_longer(tmp_path):
    path = changes(tmp_path, [(-400, 100), (-350, 300)])
    now = [1100.0]
    meter = outside.open(
        source=str(path), patience_seconds=0.0, clock=lambda: now[0], wall=lambda: NOON + now[0] - 1000.0
    )

    assert meter.counts_at(940.0)[0].joules is not None
    assert meter.counts()[0].joules is None


def test_a_device_that_became_unavailable_ends_what_holds(tmp_path):
    path = changes(tmp_path, [(-60, 100), (-40, "unavailable"), (-20, 300), (0, 300.5)])
    meter = open_at(path, NOON + 0.5, seconds=1000.5)

    part = between(meter, 940.0, 1000.0)

    assert part.joules == pytest.approx(20 * 100 + 20 * 300)
    assert part.coverage == pytest.approx(40 / 60)


def test_the_other_entities_of_an_export_are_none_of_ours(tmp_path):
    other = "sensor.rack_voltage,229.8,2026-08-01T11:59:59+00:00"
    path = changes(tmp_path, [(-60, 100), (-30, 300)], [other])
    meter = open_at(path, NOON + 0.5, seconds=1000.5)

    assert between(meter, 940.0, 970.0).joules == pytest.approx(3000.0)
    assert meter.faults() == ()


# Watts and a counter side by side


def test_a_log_of_watts_and_a_counter_gives_both_each_with_its_own_band(tmp_path):
    """The counter moves by 36 kJ, so that only its band says how little it knows of a minute."""
    machine = Machine(Step(80.0, 120.0, at=50.0))
    logger = Logger(tmp_path / "plug.csv", machine)
    logger.header = "time,watts,kwh"
    logger.line = lambda wall, watts, joules: (
        f"{datetime.fromtimestamp(wall, UTC).isoformat()},{watts:.2f},{joules // 36_000 / 100:.2f}"
    )
    logger.begin()
    logger.next = machine.now() - 5.0
    logger.update()
    meter = outside.open(source=str(logger.path), clock=logger.now, wall=logger.wall)
    run(machine, meter, 2000.0)

    before, after = meter.counts_at(1001.0), meter.counts_at(2990.0)
    truth = machine.energy(1001.0, 2990.0)

    assert [count.source for count in after] == ["outside_power", "outside_counter"]
    for start, end in zip(before, after, strict=True):
        joules, edges = end.joules - start.joules, start.edge_joules + end.edge_joules
        assert abs(joules - truth) <= 0.05 * truth + edges
    assert after[1].edge_joules >= 36_000 > after[0].edge_joules


# Bytes


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_log_that_comes_in_pieces_of_characters_is_read_whole(tmp_path, encoding, size):
    lines = ["Zeit;Leistung [W]", *(f"01.08.2026 12:00:{n:02d};{100 + n},5" for n in range(20))]
    data = "".join(f"{line}\r\n" for line in lines).encode(encoding)
    path = tmp_path / "plug.csv"
    path.write_bytes(data[:120])
    meter = open_at(f"tz=UTC {path}", NOON + 20.0)
    with path.open("ab", buffering=0) as file:
        for start in range(120, len(data), size):
            file.write(data[start : start + size])
            if start % 5 == 0:
                meter.poll()
    meter.poll()

    assert between(meter, 980.0, 998.0).joules == pytest.approx(sum(100.5 + n + 0.5 for n in range(18)))
    assert meter.faults() == ()
