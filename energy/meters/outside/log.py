"""Follow a power log: take its lines as they come, place their samples in time, and note what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from energy.fault import Fault, keep
from energy.meters._meter import MeterUnavailable
from energy.meters.outside.clock import WallClock
from energy.meters.outside.columns import Sample
from energy.meters.outside.format import detect
from energy.meters.outside.options import Options
from energy.meters.outside.quantity import JOULES, WATTS
from energy.meters.outside.source import Line, Source
from energy.meters.outside.times import Stamps
from energy.meters.outside.track import Track

WAIT_SECONDS = 0.02
ARRIVAL_PERIOD_SECONDS = 0.1  # lines without a time are stamped when they are read: read them often
PATIENCE_SECONDS = 5.0
ENOUGH_LINES = 3  # that are of no format: more will not make one of them
SOURCES = {WATTS: "outside_power", JOULES: "outside_counter"}
MEND = "Mend the log, or name another."


class ChangedError(Exception):
    """The log goes on as another, so that its further lines mean something else."""


class Log:
    """One log from its first line on; `tracks` hold what it said and `faults` what it failed to say.

    Raises:
        MeterUnavailable: no line comes, the first are of no known format, or no sample makes sense.
    """

    def __init__(
        self,
        source: Source,
        options: Options,
        clock: Callable[[], float],
        wall: Callable[[], float],
        name: str,
        sources: Mapping[str, str],
    ) -> None:
        self.source, self.walls = source, WallClock(clock, wall)
        self.name, self.sources = name, sources  # of the meter, and of its counts
        self.faults: list[Fault] = []
        self.late_seconds = 0.0  # how late its newest line came
        self._options, self._clock = options, clock
        self._celsius: float | None = None
        self._last_seconds: float | None = None  # of a sample, or of a lapse
        self._read_seconds = clock()
        deadline = time.monotonic() + (
            PATIENCE_SECONDS if options.patience_seconds is None else options.patience_seconds
        )
        lines = self._detect(deadline)
        columns = self.format.columns
        self.stamps = Stamps(options.zone, columns.seconds, since_start=columns.since_start)
        self.tracks = {
            column.quantity.kind: Track(
                counter=column.quantity.kind == JOULES,
                held=columns.held,
                note=self._noting(sources[column.quantity.kind]),
            )
            for column in columns.values
        }
        self._take_first(lines, deadline)

    @property
    def track(self) -> Track:
        """The track of its watts, or of its joules if it has no watts; both have the same times."""
        return next(iter(self.tracks.values()))

    @property
    def on_arrival(self) -> bool:
        """Whether the samples are stamped when they are read, since the log has no times."""
        return not self.format.timed

    @property
    def ended(self) -> str | None:
        """Say why no more samples will come; None while they may."""
        return self.source.problem if self.source.ended else None

    def follow(self) -> None:
        """Take the lines that have come since the last time; never wait for one."""
        if self.source.ended:
            return
        start, before, lines = self._read_seconds, self._last_seconds, self.source.lines()
        self._notice_step()
        problems = self._take(lines)
        if self._last_seconds is not None and self._last_seconds != before:
            self.late_seconds = max(0.0, self._read_seconds - self._last_seconds)
        if self.source.problem and not self.source.ended:
            problems.append(self.source.problem)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self._note(self.name, "unreadable", start, self._read_seconds, 0.0, f"{problems[0]}{more}")
        if self.ended:
            self._note(self.name, "lost", self._read_seconds, self._read_seconds, None, self.ended)

    def context(self) -> dict[str, Any]:
        """Return what the log is, how often it comes, and how late it is."""
        last = self._last_seconds
        state = {
            "format": self.format.name,
            "value": self.format.columns.text,
            "stamps": "arrival" if self.on_arrival else self.stamps.how,
            "period_seconds": self.track.period_seconds,
            "late_seconds": None if last is None else self._clock() - last,
        }
        return state | ({"logged_temperature_c": self._celsius} if self.format.columns.temperature else {})

    def _detect(self, deadline: float) -> list[Line]:
        """Wait for the lines that tell the format; return those that hold samples."""
        lines: list[Line] = []
        while True:
            lines += self.source.lines()
            late = self.source.ended or time.monotonic() >= deadline
            try:
                if lines:
                    texts = [text for _, text in lines]
                    self.format, first = detect(texts, self._options, live=self.source.live)
                    self._header = texts[:first]
                    return lines[first:]
            except ValueError as problem:
                if late or len(lines) >= ENOUGH_LINES:
                    raise MeterUnavailable(
                        f"{self.source.given}, line {lines[0][0]}: {problem}.", MEND
                    ) from problem
            if late and not lines:
                why = self.source.problem or "no line came in time"
                raise MeterUnavailable(
                    f"{self.source.given}: {why}.", "Start the logger first, or state patience=."
                )
            time.sleep(WAIT_SECONDS)

    def _take_first(self, lines: list[Line], deadline: float) -> None:
        """Take what was logged before the meter was opened (faults in it are history); wait for a sample."""
        self.walls.step()
        problems = self._take(lines)
        while self._last_seconds is None and not problems:
            if self.source.ended or time.monotonic() >= deadline:
                break
            time.sleep(WAIT_SECONDS)
            self.walls.step()
            problems = self._take(self.source.lines())
        if self.ended or (problems and self._last_seconds is None):
            raise MeterUnavailable(f"{self.source.given}: {self.ended or problems[0]}.", MEND)
        counter = self.tracks.get(JOULES)
        if counter is not None and counter.falls_often:
            if len(self.tracks) == 1:
                why = f"{self.format.columns.text} goes up and down: it is energy per interval, no counter"
                raise MeterUnavailable(f"{self.source.given}: {why}.", "Log watts, or a counter.")
            del self.tracks[JOULES]
        self.faults.clear()

    def _notice_step(self) -> None:
        """Note that the wall clock was set: lines on their way may be misplaced by as much."""
        step = self.walls.step()
        if step:
            now, last, watts = self._clock(), self._last_seconds, self.track.greatest_watts
            unsure = min(abs(step), max(0.0, now - (self._read_seconds if last is None else last)))
            reason = f"the wall clock moved by {step:+.1f} s (it was set, or the machine was suspended)"
            stake = None if watts is None else watts * unsure
            self._note(self.name, "clock_step", self._read_seconds, now, stake, reason)

    def _take(self, lines: list[Line]) -> list[str]:
        """Put the lines' samples on the tracks, in the order of time; return what was wrong with others."""
        problems: list[str] = []
        read: list[tuple[int, float, Sample]] = []
        since, now = self._read_seconds, self._clock()
        if self._last_seconds is None and lines:
            self._detect_again([text for _, text in lines])
        for i, (number, text) in enumerate(lines, 1):
            try:
                if self.format.is_header(text):
                    self._begin_anew(text)
                elif sample := self.format.sample(text):
                    read.append((number, since + (now - since) * i / len(lines), sample))
            except ValueError as problem:
                problems.append(f"line {number}: {problem}")
            except ChangedError as problem:
                self.source.close(f"line {number}: {problem}")
                break
        self._read_seconds = now
        return problems + self._place(read)

    def _detect_again(self, texts: list[str]) -> None:
        """Look once more at what the columns hold, now that there are rows below the header."""
        try:
            found, _ = detect([*self._header, *texts], self._options, live=self.source.live)
        except ValueError:
            return  # the rows are bad, and will be told so one by one
        if {one.quantity.kind for one in found.columns.values} == set(getattr(self, "tracks", ())):
            self.format = found

    def _begin_anew(self, text: str) -> None:
        """Take a header that comes again, from a logger that began anew and may have moved the columns."""
        try:
            found, _ = detect([text], self._options)
        except ValueError as problem:
            raise ChangedError(f"a new header: {problem}") from problem
        if {one.quantity.kind for one in found.columns.values} != set(self.tracks):
            raise ChangedError(
                f"a new header names {found.columns.text}, expected {self.format.columns.text} as before"
            )
        self.format = found

    def _place(self, read: list[tuple[int, float, Sample]]) -> list[str]:
        """Find out when the samples were taken, and add them."""
        problems: list[str] = []
        samples: list[tuple[float, Sample]] = []
        try:
            if read and self.format.timed and self._last_seconds is None:
                self.stamps.begin(read[-1][2].stamp, self.walls.wall(self._read_seconds))
        except ValueError as problem:
            return [f"line {read[-1][0]}: {problem}"]
        if self.source.live and not self.stamps.near:  # of another clock; what comes now is of now
            self.format = replace(self.format, columns=replace(self.format.columns, times=()))
        for number, arrived, sample in read:
            try:
                samples.append((self._seconds(sample, arrived), sample))
            except ValueError as problem:
                problems.append(f"line {number}: {problem}")
        ordered = sorted(samples, key=lambda pair: pair[0])
        if ordered != samples:
            problems.append("lines were not in the order of time, and were sorted")
        for seconds, sample in ordered:
            if self._last_seconds is not None and seconds <= self._last_seconds:
                problems.append("a time came twice, and its second sample was dropped")
                continue
            self._add(seconds, sample)
        return problems

    def _seconds(self, sample: Sample, arrived: float) -> float:
        if sample.stamp is None or self.on_arrival:
            return arrived
        walls = self.stamps.walls(sample.stamp, self.walls.wall(self._read_seconds))
        return self.walls.monotonic(
            walls, float("-inf") if self._last_seconds is None else self._last_seconds
        )

    def _add(self, seconds: float, sample: Sample) -> None:
        self._last_seconds = seconds
        self._celsius = sample.celsius
        unsure = seconds - self._read_seconds  # of stamps ahead of our clock
        if self.on_arrival:
            unsure = ARRIVAL_PERIOD_SECONDS
        elif self.stamps.elapsed:
            unsure = self.track.period_seconds
        for kind, track in self.tracks.items():
            track.stamp_seconds = max(track.stamp_seconds, unsure)
            if kind in sample.values:
                track.add(seconds, *sample.values[kind])
            else:
                track.lapse(seconds)

    def _noting(self, source: str) -> Callable[[str, float, float, float | None, str], None]:
        return lambda *fault: self._note(source, *fault)

    def _note(
        self, source: str, kind: str, start: float, end: float, stake: float | None, reason: str
    ) -> None:
        """Add a fault, or widen the last one by it, so that a bad hour is one entry."""
        device = "" if source == self.name else self.source.name
        fault = Fault(kind, source, device, start, end - start, stake, reason)
        last = self.faults[-1] if self.faults else None
        if last and (last.kind, last.source) == (kind, source) and start <= last.at_seconds + last.seconds:
            self.faults[-1] = last.joined(fault)
        else:
            keep(self.faults, fault)
