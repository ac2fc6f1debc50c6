"""One measured run: meters opened once, idle power first, then the cases, each journalled as it ends."""

from __future__ import annotations

import datetime
import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from energy._version import __version__
from energy.measuring import cooling, record, saving
from energy.measuring.case import Case
from energy.measuring.cooling import Cooler
from energy.measuring.figures import total_joules
from energy.measuring.hardware import read_hardware
from energy.measuring.recorder import Recorder
from energy.measuring.window import Window
from energy.meters import Meters, close, open_meters
from energy.records import schema
from energy.records.fingerprint import name_before, name_hardware
from energy.records.storage.fitted import find_laws
from energy.records.storage.index import telling_once
from energy.records.storage.store import Store


@dataclass(frozen=True)
class Device:
    """What the measured code runs on.

    Args:
        gpus: UUIDs of the GPUs whose energy counts; () for none, None for those CUDA_VISIBLE_DEVICES allows.
        synchronize: waits until the accelerator has done all queued work; None where nothing is queued.
        tells: what the measured code will tell of its own work (`Case.tell`), such as "macs_fp32".
    """

    gpus: tuple[str, ...] | None = None
    synchronize: Callable[[], None] | None = None
    tells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What the user asked of a run."""

    meters: str
    outside: str | None
    idle_seconds: float
    storage: Path
    save: bool
    name: str | None
    json_path: Path | None
    resume: bool
    grid_g_per_kwh: float | None
    command: str
    cpu_watts: tuple[float, float] | None = None


def open_run_meters(settings: Settings, device: Device, say: Callable[[str], None]) -> Meters:
    """Open the meters of a run, with what is known of this machine's CPU.

    Raises:
        MeterUnavailable, ValueError: as `energy.open_meters`.
    """
    fitted, notes = find_laws(settings.storage)
    for note in notes:
        say(note)
    return open_meters(
        settings.meters,
        device.gpus,
        settings.outside,
        cpu_watts=settings.cpu_watts,
        fitted=fitted,
        tells=device.tells,
    )


@dataclass
class Run:
    """A run in progress. `open` must be called before the first case, `close` after the last.

    What it has measured, its `recorder` keeps; `written` is its file in the results folder, or None.
    `sources` are the folders of the code that is measured.
    """

    settings: Settings
    device: Device
    say: Callable[[str], None]
    meters: Meters = field(default_factory=Meters)
    hardware: dict[str, Any] = field(default_factory=dict)
    idle: dict[str, Any] | None = None
    cooler: Cooler | None = None
    recorder: Recorder = field(default_factory=Recorder)
    written: Path | None = None
    started: str = field(default_factory=lambda: _now())
    pid: int = field(default_factory=os.getpid)
    sources: tuple[Path, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether this process began the run; a forked child measures and writes nothing."""
        return os.getpid() == self.pid

    @functools.cached_property
    def store(self) -> Store:
        """The results folder; what is wrong in it is said once."""
        return Store(self.settings.storage, telling_once(self.say))

    @property
    def fingerprint(self) -> str:
        """The name of the hardware and its meters."""
        return name_hardware(self.hardware)

    @property
    def former_fingerprint(self) -> str | None:
        """The name that it had before the processor's instructions were a part of it."""
        return name_before(self.hardware)

    def open(self) -> None:
        """Open the meters, name the machine, prove that results can be written, measure idle power."""
        settings = self.settings
        self.meters = open_run_meters(settings, self.device, self.say)
        self.hardware, self.started = read_hardware(self.meters), _now()
        saving.prepare(self._saved_to(), self.fingerprint, settings.json_path)
        if settings.save:
            self.recorder = Recorder(self.store.journal(self.fingerprint))
            if settings.resume:
                self.say(f"--energy-resume: {self.recorder.resume()}")
        if settings.idle_seconds > 0:
            self.idle = self._measure_idle()
        self.recorder.begin(_now(), self._block(finished=None))

    def again(self) -> Run:
        """Return a run on the same open meters, which keeps to itself what it measures once more."""
        settings = replace(self.settings, save=False, json_path=None, resume=False)
        return replace(self, settings=settings, recorder=self.recorder.again(), written=None)

    def cool_before_windows(self, limit_c: float | None, most_seconds: float) -> None:
        """Let each case wait until the chip is as cool as it is now, or as `limit_c` says; see `Cooler`."""
        read = functools.partial(cooling.temperatures, self.meters)
        self.cooler = Cooler(read, self.say, limit_c, most_seconds)

    def case(self, name: str, number: int = 1, of: int = 1) -> Case:
        """Begin a case, or the `number`-th of its repeats if each is measured by itself."""
        return Case(name, self.meters, self.device.synchronize, number=number, of=of, cooler=self.cooler)

    @contextmanager
    def extra_case(self, name: str) -> Iterator[Case]:
        """Run a case that no test asked for (the reference): recorded like any other, also when it fails."""
        case = self.case(name)
        try:
            yield case
        except BaseException as problem:
            case.failed(problem)
            raise
        finally:
            self.finish(case)

    def finish(self, case: Case) -> dict[str, Any]:
        """Build and keep the record of a case that has ended.

        Of a case whose repeats are measured one by one, return that of the repeat until the last has ended.

        Raises:
            RuntimeError: called in a forked child, whose records would be its parent's case a second time.
        """
        if not self.is_ours:
            raise RuntimeError(f"process {os.getpid()} is a child of the run's process {self.pid}")
        case.description.setdefault("keys", {"hardware": self.fingerprint})
        idle_watts = None if self.idle is None else self.idle["watts"]["total"]
        finished = record.build(case, idle_watts, self.settings.grid_g_per_kwh)
        schema.check_record(finished, finished["case"])
        return self.recorder.keep(finished, case.number, case.of)

    def close(self, *, ended: bool = True) -> Path | None:
        """Close the meters and write the run's files; return `written`, None if there is nothing to save.

        Args:
            ended: whether the run came to its end; `--energy-resume` goes on with one that did not.
        """
        close(self.meters)
        records, settings = self.recorder.whole_run(), self.settings
        if records:
            self.written = saving.write(
                records,
                self._block(finished=_now() if ended else None),
                self.recorder,
                store=self._saved_to(),
                name=settings.name,
                json_path=settings.json_path,
                sources=self.sources,
            )
        return self.written

    def _saved_to(self) -> Store | None:
        return self.store if self.settings.save else None

    def _block(self, finished: str | None) -> dict[str, Any]:
        """Return the file-level `energy` block."""
        return {
            "schema": record.SCHEMA,
            "fingerprint": self.fingerprint,
            "hardware": self.hardware,
            "meters": [meter.name for meter in self.meters],
            "suite_version": __version__,
            "run": self.recorder.id,
            "started": self.started,
            "finished": finished,
            "command": self.settings.command,
            "idle": self.idle,
            "instrument": self._instrument(),
            "grid_g_per_kwh": self.settings.grid_g_per_kwh,
            "order": self.recorder.order(),
            **self.recorder.notes,
        }

    def _instrument(self) -> dict[str, Any]:
        """Say what measuring has cost so far: its CPU seconds, its threads, and by how much it delayed."""
        cost, sampler = self.meters.cost, self.meters.sampler
        return {
            "cpu_seconds": cost.cpu_seconds + sampler.cpu_seconds,
            "added_seconds": cost.wall_seconds,
            "readings": cost.readings,
            "polls": sampler.polls,
            "threads": ["energy-sampler"] if sampler.polls else [],
            "unknown": [text for text in (self.meters.clocks.unknown, self.meters.claims.problem) if text],
        }

    def _measure_idle(self) -> dict[str, Any]:
        """Sleep inside the meters: what the machine draws anyway, and what they cost this process."""
        cpu = time.process_time()
        with Window(self.meters, self.device.synchronize) as window:
            time.sleep(self.settings.idle_seconds)
        cpu = time.process_time() - cpu
        spent = window.energy
        watts: dict[str, float | None] = {
            domain: _watts(spent.joules(domain), spent.seconds)
            for domain in sorted({part.domain for part in spent.headline()})
        }
        return {
            "seconds": spent.seconds,
            "watts": watts | {"total": _watts(total_joules(spent)[0], spent.seconds)},
            "flags": list(window.flags()),
            "own_core_share": cpu / spent.seconds,
        }


def _watts(joules: float | None, seconds: float) -> float | None:
    return None if joules is None else joules / seconds


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
