"""First lines of some seventy devices, each read as its owner means it, or refused with the reason."""

import itertools
import re
import time
import tomllib
from pathlib import Path

import pytest

from energy.meters import outside
from energy.meters._meter import MeterUnavailable
from energy.meters.outside.options import Options

TABLE = Path(__file__).parents[1] / "samples" / "outside" / "first_lines.toml"
LOGS = tomllib.loads(TABLE.read_text())["log"]
READ = [log for log in LOGS if "refused" not in log]
REFUSED = [log for log in LOGS if "refused" in log]
METERS = Path(__file__).parents[2] / "METERS.md"
NOW = 1000.0  # of the monotonic clock, a second after the last line


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Printed:
    """What a command has printed."""

    name = given = "command"
    problem, ended, live = None, False, True

    def __init__(self, lines):
        self.left = list(enumerate((line.strip() for line in lines), 1))

    def lines(self):
        left, self.left = self.left, []
        return left

    def close(self, why):
        self.ended, self.problem = True, why


def opened(log, tmp_path):
    moment = log["time"].timestamp() if "time" in log else 1_769_864_645.0

    def clock():
        return NOW

    def wall():
        return moment + 1.0

    if log.get("live"):
        later = itertools.count(NOW)
        return outside.follow(Printed(log["lines"]), Options(patience_seconds=0.0), lambda: next(later), wall)
    path = tmp_path / "plug.log"
    path.write_bytes("".join(f"{line}\r\n" for line in log["lines"]).encode(log.get("encoding", "utf-8")))
    source = f"{log.get('options', '')} {path}"
    return outside.open(source=source, patience_seconds=0.0, clock=clock, wall=wall)


@pytest.mark.parametrize("log", READ, ids=[log["device"] for log in READ])
def test_the_last_line_is_read_with_its_value_and_its_time(tmp_path, log):
    meter = opened(log, tmp_path)
    tracks = meter._log.tracks
    meter.close()

    assert {kind: track._value for kind, track in tracks.items()} == {
        kind: pytest.approx(log[kind]) for kind in ("watts", "joules") if kind in log
    }
    if not log.get("live"):  # a log of seconds since its start is of now: its newest line has just come
        assert meter._log.track.last_seconds == pytest.approx(NOW if meter._log.stamps.elapsed else NOW - 1.0)
    assert meter._log.format.columns.held == log.get("held", False)
    assert meter.faults() == ()


@pytest.mark.parametrize("log", REFUSED, ids=[log["device"] for log in REFUSED])
def test_what_is_no_witness_is_refused_by_its_name(tmp_path, log):
    with pytest.raises(MeterUnavailable) as problem:
        opened({**log, "time": LOGS[0]["time"]}, tmp_path)

    assert log["refused"] in problem.value.reason
    assert problem.value.remedy


def test_the_table_has_sixty_logs_that_are_read():
    assert len(READ) >= 60
    assert len({log["device"] for log in LOGS}) == len(LOGS)


def test_the_table_in_the_documentation_names_first_lines_that_are_tested():
    rows = [
        row
        for row in METERS.read_text().split("| written by |")[1].split("\n\n")[0].splitlines()
        if "`" in row
    ]
    shown = [line for row in rows for line in re.findall(r"`([^`]+)`", row.split(" | ")[1])]
    tested = [line.strip() for log in READ for line in log["lines"]]

    assert len(shown) > 30
    assert [line for line in shown if not any(one.startswith(line) for one in tested)] == []
