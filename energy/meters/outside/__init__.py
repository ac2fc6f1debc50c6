"""A meter outside the machine: a wall plug, PDU, PTDaemon or lab logger that writes a log, or a command.

That is how boards without sensors of their own were measured (Sinha et al. 2022). The log is on the wall
clock and arrives late: `counts` knows little of this very moment, `counts_at` tells any instant once a sample
at or after it has come. The logger's clock must be kept by NTP, as MLPerf asks of its power meters; stamps
ahead of this machine's clock are noticed, stamps behind it look like a log that is late.

It measures the whole machine, and is therefore a witness beside the parts, never one of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from energy.meters._meter import Diagnosis, MeterUnavailable, OwnedMeter
from energy.meters.outside.log import ARRIVAL_PERIOD_SECONDS, Log
from energy.meters.outside.source import Command, LogFile, Source
from energy.meters.outside.track import Point
from energy.reading import Count, Fault

DOMAINS = ("machine",)
PERIOD_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
ACCURACY = 0.05  # MLPerf Training's power rules: a meter within 5 %
REMEDY = "Name a log or a command: `--energy-outside PATH` or `--energy-outside '!COMMAND ...'`."


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    source: str | None = None,
    accuracy: float = ACCURACY,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Outside:
    """Follow a log that somebody writes, or start a command and read what it prints.

    Args:
        gpus: as every meter; this one measures the whole machine.
        source: the path of a CSV, JSON-lines or PTDaemon log, or "!command arguments" (no shell).
        accuracy: the meter's own error as a share: 0.05 is 5 %.
        patience_seconds: how late the log may be, here for its first line, later for a window's end.
        clock: the monotonic clock (s).
        wall: the wall clock (Unix s).

    Raises:
        MeterUnavailable: no source was named, or it cannot be read, or its first line is no known format.
        ValueError: the accuracy is not a share.
    """
    if not 0 <= accuracy < 1:
        raise ValueError(f"accuracy is {accuracy}, expected a share: at least 0 and below 1 (0.05 is 5 %)")
    if source is None or not source.strip():
        raise MeterUnavailable("No outside meter was named.", REMEDY)
    lines: Source = Command(source[1:]) if source.startswith("!") else LogFile(Path(source).expanduser())
    try:
        return Outside(Log(lines, patience_seconds, clock, wall), accuracy, patience_seconds, clock)
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

    def __init__(
        self, log: Log, accuracy: float, patience_seconds: float, clock: Callable[[], float]
    ) -> None:
        super().__init__("outside")
        self.patience_seconds = patience_seconds
        self.period_seconds = ARRIVAL_PERIOD_SECONDS if log.on_arrival else PERIOD_SECONDS
        self._log, self._clock = log, clock
        self._busy = False
        self._template = Count(
            "machine",
            log.source.name,
            log.fault_log.source,
            "measured",
            None,
            0.0,
            low_factor=1 - accuracy,
            high_factor=1 + accuracy,
            witness=True,
            reason="not read yet",
        )

    def counts(self) -> tuple[Count, ...]:
        """Return the joules until now: unknown, unless the log has come this far already."""
        with self._lock:
            seconds = self._clock()
            self._log.track.ask(seconds)
            return (self._known(seconds) or self._unknown(seconds),)

    def counts_at(self, seconds: float) -> tuple[Count, ...] | None:
        """Return the joules until an instant (monotonic clock), or None if the log may still reach it."""
        self.poll()
        with self._lock:
            if count := self._known(seconds):
                return (count,)
            first = self._log.track.first_seconds
            hopeless = self._log.ended or (first is not None and seconds < first)
            return (self._unknown(seconds),) if hopeless else None

    def context(self) -> dict[str, Any]:
        """Return what the log is, how often it comes, and how late it is, by the name of the log."""
        with self._lock:
            return {self._template.device: self._log.context()}

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
        return tuple(self._log.fault_log.faults())

    def _release(self) -> None:
        self._log.source.close("the meter is closed")

    def _known(self, seconds: float) -> Count | None:
        point = self._log.track.at(seconds)
        return self._count(point, None) if point else None

    def _unknown(self, seconds: float) -> Count:
        return self._count(Point(0.0, 0.0, 0.0, 0.0), self._why_unknown(seconds))

    def _count(self, point: Point, reason: str | None) -> Count:
        return replace(
            self._template,
            joules=None if reason else point.joules,
            covered_seconds=point.covered_seconds,
            edge_joules=point.edge_joules,
            resolution_seconds=self._log.track.period_seconds,
            reason=reason,
            last_joules=self._log.track.last_joules if reason else None,
            sampling_joules=point.sampling_joules,
        )

    def _why_unknown(self, seconds: float) -> str:
        first, last = self._log.track.first_seconds, self._log.track.last_seconds
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
