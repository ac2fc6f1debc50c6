"""Follow a power log: take its lines as they come, place their samples in time, and note what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from energy.meters._meter import MeterUnavailable
from energy.meters.outside.clock import WallClock
from energy.meters.outside.format import Format, Sample, detect
from energy.meters.outside.source import Command, Line, Source
from energy.meters.outside.track import FaultLog, Track

WAIT_SECONDS = 0.02
ARRIVAL_PERIOD_SECONDS = 0.1  # lines without a time are stamped when they are read: read them often
MEND = "Mend the log, or name another."


class ChangedError(Exception):
    """The log goes on as another, so that its further lines mean something else."""


class Log:
    """One log from its first line on; `track` holds what it said and `fault_log` what it failed to say.

    Raises:
        MeterUnavailable: no line comes, the first is of no known format, or no sample makes sense.
    """

    def __init__(
        self, source: Source, patience_seconds: float, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.source, self.walls, self._clock = source, WallClock(clock, wall), clock
        self._stamps = "none yet"
        self._read_seconds = clock()
        self.format, lines = self._first_lines(patience_seconds)
        self.fault_log = FaultLog("outside_counter" if self.format.counts else "outside_power", source.name)
        self.track = Track(self.format.counts, self.fault_log)
        if self.on_arrival:
            self.track.stamp_seconds = ARRIVAL_PERIOD_SECONDS
        self._take_first(lines, patience_seconds)

    @property
    def on_arrival(self) -> bool:
        """Whether the samples are stamped when they are read, since the log has no times."""
        return not self.format.time

    @property
    def ended(self) -> str | None:
        """Say why no more samples will come; None while they may."""
        return self.source.problem if self.source.ended else None

    def follow(self) -> None:
        """Take the lines that have come since the last time; never wait for one."""
        if self.source.ended:
            return
        start, lines = self._read_seconds, self.source.lines()
        self._notice_step()
        problems = self._take(lines)
        if self.source.problem and not self.source.ended:
            problems.append(self.source.problem)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.fault_log.note("unreadable", start, self._read_seconds, 0.0, f"{problems[0]}{more}")
        if self.ended:
            self.fault_log.note("lost", self._read_seconds, self._read_seconds, None, self.ended)

    def context(self) -> dict[str, Any]:
        """Return what the log is, how often it comes, and how late it is."""
        last = self.track.last_seconds
        return {
            "format": self.format.name,
            "value": self.format.value,
            "stamps": self._stamps,
            "period_seconds": self.track.period_seconds,
            "late_seconds": None if last is None else self._clock() - last,
        }

    def _first_lines(self, patience_seconds: float) -> tuple[Format, list[Line]]:
        """Wait for the line that tells the format."""
        deadline = time.monotonic() + patience_seconds
        while not (lines := self.source.lines()):
            if self.source.ended or time.monotonic() >= deadline:
                why = self.source.problem or f"no line came within {patience_seconds:g} s"
                raise MeterUnavailable(f"{self.source.given}: {why}.", "Start the logger first.")
            time.sleep(WAIT_SECONDS)
        number, text = lines[0]
        try:
            return detect(text, bare_numbers=isinstance(self.source, Command)), lines
        except ValueError as problem:
            raise MeterUnavailable(f"{self.source.given}, line {number}: {problem}.", MEND) from problem

    def _take_first(self, lines: list[Line], patience_seconds: float) -> None:
        """Take what was logged before the meter was opened (faults in it are history); wait for a sample."""
        deadline = time.monotonic() + patience_seconds
        self.walls.step()
        problems = self._take(lines)
        while self.track.last_seconds is None and not problems:
            if self.source.ended or time.monotonic() >= deadline:
                break
            time.sleep(WAIT_SECONDS)
            self.walls.step()
            problems = self._take(self.source.lines())
        if self.ended or (problems and self.track.last_seconds is None):
            raise MeterUnavailable(f"{self.source.given}: {self.ended or problems[0]}.", MEND)
        self.fault_log.clear()

    def _notice_step(self) -> None:
        """Note that the wall clock was set: lines on their way may be misplaced by as much."""
        step = self.walls.step()
        if step:
            now, last, watts = self._clock(), self.track.last_seconds, self.track.greatest_watts
            unsure = min(abs(step), max(0.0, now - (self._read_seconds if last is None else last)))
            reason = f"the wall clock moved by {step:+.1f} s (it was set, or the machine was suspended)"
            stake = None if watts is None else watts * unsure
            self.fault_log.note("clock_step", self._read_seconds, now, stake, reason)

    def _take(self, lines: list[Line]) -> list[str]:
        """Put the lines' samples on the track, in the order of time; return what was wrong with others."""
        problems: list[str] = []
        samples: list[tuple[float, Sample]] = []
        since, now = self._read_seconds, self._clock()
        for i, (number, text) in enumerate(lines, 1):
            try:
                if sample := self._sample(text):
                    samples.append((self._seconds(sample, since + (now - since) * i / len(lines)), sample))
            except ValueError as problem:
                problems.append(f"line {number}: {problem}")
            except ChangedError as problem:
                self.source.close(f"line {number}: {problem}")
                break
        self._read_seconds = now
        return problems + self._add(samples)

    def _sample(self, text: str) -> Sample | None:
        """Read one line; a header that comes again, from a logger that began anew, may move the columns."""
        if not self.format.is_header(text):
            return self.format.sample(text)
        try:
            header = detect(text)
        except ValueError as problem:
            raise ChangedError(f"a new header: {problem}") from problem
        if header.value != self.format.value:
            raise ChangedError(f"a new header names {header.value}, expected {self.format.value} as before")
        self.format = header
        return None

    def _seconds(self, sample: Sample, arrived: float) -> float:
        self._stamps = sample.clock
        if not sample.walls:
            return arrived
        last = self.track.last_seconds
        return self.walls.monotonic(sample.walls, float("-inf") if last is None else last)

    def _add(self, samples: list[tuple[float, Sample]]) -> list[str]:
        ordered = sorted(samples, key=lambda pair: pair[0])
        problems = [] if ordered == samples else ["lines were not in the order of time, and were sorted"]
        for seconds, sample in ordered:
            last = self.track.last_seconds
            if last is not None and seconds <= last:
                problems.append("a time came twice, and its second sample was dropped")
            else:
                self.track.add(seconds, sample.value, sample.resolution)
        if ordered:
            ahead = ordered[-1][0] - self._read_seconds
            self.track.stamp_seconds = max(self.track.stamp_seconds, ahead)
        return problems
