"""A meter outside the machine: a wall plug, PDU, analyser or BMC that writes a log, or a command that prints.

That is how boards without sensors of their own were measured (Sinha et al. 2022). The log is on the wall
clock and arrives late: `counts` knows little of this very moment, `counts_at` tells any instant once a sample
at or after it has come. The logger's clock must be kept by NTP, as MLPerf asks of its power meters; stamps
ahead of this machine's clock are noticed, stamps behind it look like a log that is late.

It measures the whole machine, and is therefore a witness beside the parts, never one of them. A log that has
watts and a counter of energy gives both, each with its own band.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from energy.meters._meter import Diagnosis, MeterUnavailable, OwnedMeter
from energy.meters.outside.log import ARRIVAL_PERIOD_SECONDS, PATIENCE_SECONDS, SOURCES, Log
from energy.meters.outside.options import ACCURACY, Options, read_options
from energy.meters.outside.source import Command, LogFile, Source
from energy.meters.outside.track import Point, Track
from energy.reading import Count, Fault

DOMAINS = ("machine",)
PERIOD_SECONDS = 1.0
PATIENCE_PERIODS = 2.0
MOST_PATIENCE_SECONDS = 120.0  # a longer wait after each window is the user's to choose
REMEDY = "Name a log or a command: `--energy-outside PATH` or `--energy-outside '!COMMAND ...'`."


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    source: str | None = None,
    accuracy: float = ACCURACY,
    patience_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Outside:
    """Follow a log that somebody writes, or start a command and read what it prints.

    Args:
        gpus: as every meter; this one measures the whole machine.
        source: the path of a log, or "!command arguments" (no shell); words before it say how it is read
            (`read_options`): "tz=UTC accuracy=0.1% plug.csv".
        accuracy: the meter's own error as a share: 0.05 is 5 %.
        patience_seconds: how late the log may be, here for its first line, later for a window's end; None: by
            how often and how late it is seen to come.
        clock: the monotonic clock (s).
        wall: the wall clock (Unix s).

    Raises:
        MeterUnavailable: no source was named, or it cannot be read, or its first lines are no known format.
        ValueError: the accuracy, or a word before the source, cannot be meant.
    """
    options = Options(accuracy, patience_seconds)
    if source is None or not source.strip():
        raise MeterUnavailable("No outside meter was named.", REMEDY)
    source, options = read_options(source, options)
    lines: Source = Command(source[1:]) if source.startswith("!") else LogFile(Path(source).expanduser())
    return follow(lines, options, clock, wall)


def follow(
    lines: Source,
    options: Options,
    clock: Callable[[], float],
    wall: Callable[[], float],
    name: str = "outside",
    sources: Mapping[str, str] = SOURCES,
) -> Outside:
    """Return the meter of these lines, whose sources begin with its name; closes them if they are no log."""
    try:
        return Outside(name, Log(lines, options, clock, wall, name, sources), options, clock)
    except BaseException:
        lines.close("the meter did not open")
        raise


def diagnose(gpus: Sequence[str] | None = None, *, source: str | None = None) -> Diagnosis:
    """Say what the log or command named measures, or how to name one."""
    try:
        meter = open(gpus, source=source)
    except MeterUnavailable as problem:
        return Diagnosis("outside", False, problem.reason, problem.remedy, untested=True)
    what = "; ".join(
        f"machine: {device} ({state['format']}, {state['value']}, {state['stamps']})"
        for device, state in meter.context().items()
    )
    meter.close()
    return Diagnosis("outside", True, what, untested=True)


class Outside(OwnedMeter):
    """Cumulative joules of the whole machine, as far as the log has come."""

    def __init__(self, name: str, log: Log, options: Options, clock: Callable[[], float]) -> None:
        super().__init__(name)
        self.period_seconds = ARRIVAL_PERIOD_SECONDS if log.on_arrival else PERIOD_SECONDS
        self._log, self._options, self._clock = log, options, clock
        self._busy = False
        low, high = 1 - options.accuracy, 1 + options.accuracy
        self._templates = {
            kind: Count(
                "machine",
                log.source.name,
                log.sources[kind],
                "measured",
                None,
                0.0,
                low,
                high,
                witness=True,
                reason="not read yet",
            )
            for kind in log.tracks
        }

    @property
    def patience_seconds(self) -> float:
        """How long after an instant its figures are waited for: as the user said, or as the log comes."""
        if self._options.patience_seconds is not None:
            return self._options.patience_seconds
        period = 0.0 if self._log.format.columns.held else PATIENCE_PERIODS * self._log.track.period_seconds
        return min(MOST_PATIENCE_SECONDS, max(PATIENCE_SECONDS, period + self._log.late_seconds))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the log holds: watts, joules or both."""
        return tuple(self._log.tracks)

    def newest(self, kind: str) -> float | None:
        """Return the newest value (W, or J of a counter); None if there is none yet."""
        with self._lock:
            return self._log.tracks[kind].newest

    def counts(self) -> tuple[Count, ...]:
        """Return the joules until now: unknown, unless the log has come this far already."""
        with self._lock:
            seconds = self._clock()
            return self._known(seconds) or self._unknown(seconds)

    def counts_at(self, seconds: float) -> tuple[Count, ...] | None:
        """Return the joules until an instant (monotonic clock), or None if the log may still reach it."""
        self.poll()
        with self._lock:
            if counts := self._known(seconds):
                return counts
            first = self._log.track.first_seconds
            hopeless = self._log.ended or (first is not None and seconds < first)
            return self._unknown(seconds) if hopeless else None

    def context(self) -> dict[str, Any]:
        """Return what the log is, how often it comes, and how late it is, by the name of the log."""
        with self._lock:
            return {self._log.source.name: self._log.context()}

    def close(self) -> None:
        """Let go of the log, or end the command; in a forked child do nothing, they are the parent's."""
        if self.pid == os.getpid():
            super().close()

    def _sample(self) -> None:
        """Take the lines that have come since the last time; never wait for one."""
        # A signal handler may read in the middle of this; it sees what was known before.
        if not self._busy:
            self._busy = True
            try:
                self._log.follow()
            finally:
                self._busy = False

    def _seen_faults(self) -> tuple[Fault, ...]:
        return tuple(self._log.faults)

    def _release(self) -> None:
        self._log.source.close("the meter is closed")

    def _known(self, seconds: float) -> tuple[Count, ...] | None:
        # A value that holds until it changes has held if no change came in time.
        hold = self._clock() - seconds >= self.patience_seconds
        points = {kind: track.at(seconds, hold=hold) for kind, track in self._log.tracks.items()}
        if any(point is None for point in points.values()):
            return None
        return tuple(self._count(kind, point, None) for kind, point in points.items() if point)

    def _unknown(self, seconds: float) -> tuple[Count, ...]:
        return tuple(self._count(kind, Point(), self._why_unknown(seconds)) for kind in self._log.tracks)

    def _count(self, kind: str, point: Point, reason: str | None) -> Count:
        track: Track = self._log.tracks[kind]
        return replace(
            self._templates[kind],
            joules=None if reason else point.joules,
            covered_seconds=point.covered_seconds,
            edge_joules=point.edge_joules,
            resolution_seconds=track.period_seconds,
            reason=reason,
            last_joules=track.last_joules if reason else None,
            sampling_joules=point.rounding_joules,
            paces=track.paces,
            pace=point.samples,
        )

    def _why_unknown(self, seconds: float) -> str:
        track = self._log.track
        first, last = track.first_seconds, track.last_seconds
        if first is None or last is None:
            known = "the log holds no sample yet"
        elif seconds < first:
            known = f"the log begins {first - seconds:.1f} s after this reading"
        else:
            moment = datetime.fromtimestamp(self._log.walls.wall(last)).astimezone()
            reached = moment.isoformat(timespec="seconds")
            known = f"the log has reached {reached} only, {seconds - last:.1f} s before this reading"
        why = self._log.source.problem
        return f"{known}; {why}" if why else known
