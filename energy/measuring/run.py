"""One measured run: meters opened once, idle power first, then the cases, each journalled as it ends."""

from __future__ import annotations

import dataclasses
import datetime
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy._version import __version__
from energy.measuring import fingerprint, record
from energy.measuring.case import Case
from energy.measuring.cooling import Cooler
from energy.measuring.figures import total_joules
from energy.measuring.window import Window
from energy.meters import Meters, close, open_meters
from energy.records import journal, runfile, schema
from energy.records.files import prove_writable
from energy.records.repeats import Repeats, list_in_a_row, list_measured
from energy.records.runfile import StoreError, sort_as_collected
from energy.records.store import Store


@dataclass(frozen=True)
class Device:
    """What the measured code runs on.

    Args:
        gpus: UUIDs of the GPUs whose energy counts; () for none, None for those CUDA_VISIBLE_DEVICES allows.
        synchronize: waits until the accelerator has done all queued work; None where nothing is queued.
    """

    gpus: tuple[str, ...] | None = None
    synchronize: Callable[[], None] | None = None


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


@dataclass
class Session:
    """A run in progress. `open` must be called before the first case, `close` after the last."""

    settings: Settings
    device: Device
    say: Callable[[str], None]
    meters: Meters = field(default_factory=Meters)
    pid: int = field(default_factory=os.getpid)
    hardware: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    idle: dict[str, Any] | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    finished_before: tuple[dict[str, Any], ...] = ()
    run: str = ""
    started: str = ""
    written: Path | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    first: Session | None = None
    repeats: Repeats = field(default_factory=Repeats)
    order: str = "given"
    sequence: list[tuple[str, int]] = field(default_factory=list)
    collected: tuple[str, ...] = ()
    given_up: set[str] = field(default_factory=set)
    cooler: Cooler | None = None
    again_records: list[dict[str, Any]] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this process began the run; a forked child measures and writes nothing."""
        return os.getpid() == self.pid

    @property
    def store(self) -> Store:
        """The results folder."""
        return Store(self.settings.storage)

    @property
    def journal_path(self) -> Path:
        """The journal of this machine."""
        return self.store.journal(self.fingerprint)

    def open(self) -> None:
        """Open the meters, name the machine, prove that results can be written, measure idle power."""
        settings = self.settings
        self.meters = open_meters(settings.meters, self.device.gpus, settings.outside)
        self.hardware = fingerprint.of_meters(self.meters)
        self.fingerprint = fingerprint.name(self.hardware)
        self.run, self.started = secrets.token_hex(6), _now()
        if self.settings.save:
            self.store.prepare(self.fingerprint)
            self._resume()
        if self.settings.json_path is not None:
            self._prove_json_writable(self.settings.json_path.parent)
        if self.settings.idle_seconds > 0:
            self.idle = self._measure_idle()
        if self.settings.save:
            journal.append_event(
                self.journal_path, {"event": "start", "run": self.run, "time": _now(), "energy": self.block()}
            )

    def again(self) -> Session:
        """Return a run on the same open meters, which keeps to itself what it measures once more."""
        settings = dataclasses.replace(self.settings, save=False, json_path=None, resume=False)
        names = ("hardware", "fingerprint", "idle", "run", "started", "order", "collected", "cooler")
        kept = {name: getattr(self, name) for name in names}
        return Session(settings, self.device, self.say, self.meters, self.pid, **kept, first=self)

    @property
    def measured(self) -> list[dict[str, Any]]:
        """What has been measured so far, by the run that this one repeats, too."""
        return [*self.records, *(self.first.measured if self.first is not None else [])]

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
        """Build the record of a case that has ended, and journal it before anything else can go wrong.

        Of a case whose repeats are measured one by one, return that of the repeat until the last has ended.

        Raises:
            RuntimeError: called in a forked child, whose records would be its parent's case a second time.
        """
        if not self.is_ours:
            raise RuntimeError(f"process {os.getpid()} is a child of the run's process {self.pid}")
        case.description.setdefault("keys", {"hardware": self.fingerprint})
        finished = record.build(case, self.idle_watts, self.settings.grid_g_per_kwh)
        schema.check_record(finished, finished["case"])
        if case.of > 1:
            return self._finish_repeat(case, finished)
        self.sequence += list_in_a_row(finished)
        return self._keep(finished)

    def _finish_repeat(self, case: Case, part: dict[str, Any]) -> dict[str, Any]:
        self.sequence.append((case.name, case.number))
        place = {"number": case.number, "of": case.of}
        self._journal({"event": "repeat", "run": self.run, **place, "record": part})
        whole = self.repeats.add(case.number, case.of, part)
        return part if whole is None else self._keep(whole)

    def _keep(self, finished: dict[str, Any]) -> dict[str, Any]:
        self._journal({"event": "case", "run": self.run, "record": finished})
        self.records.append(finished)
        return finished

    def _journal(self, event: dict[str, Any]) -> None:
        if self.settings.save:
            journal.append_event(self.journal_path, event)

    def reuse_repeat(self, case: Case, keys: dict[str, str], code: str | None = None) -> bool:
        """Take over the good record that the run to be resumed left of this repeat, if there is one."""
        earlier = self.repeats.left_by_earlier(case.name, case.number, case.of, keys, code)
        if earlier is None:
            return False
        whole = self.repeats.add(case.number, case.of, earlier)
        if whole is not None:
            self._keep(whole)
        return True

    def reuse(self, case: str, keys: dict[str, str], code: str | None = None) -> dict[str, Any] | None:
        """Take over the good record that the run to be resumed left of this case, keys and code."""
        for earlier in self.finished_before:
            same = earlier["keys"] == keys and earlier.get("code") == code
            if same and (earlier["case"], earlier["status"]) == (case, "ok"):
                if earlier not in self.records:
                    self.records.append(earlier)
                return earlier
        return None

    def close(self, interrupted: bool = False) -> Path | None:
        """Close the meters and write the run's file; return its path, None if there is nothing to save.

        An interrupted run gets its file, too, but no end in the journal: `--energy-resume` goes on with it.
        """
        close(self.meters)
        self.adopt_the_rest()
        if not self.records:
            return None
        finished = None if interrupted else _now()
        run = runfile.as_pytest_benchmark(self.records, self.block() | {"finished": finished})
        if self.settings.save:
            self.written = self.store.write(run, self.settings.name)
            if not interrupted:
                journal.append_event(
                    self.journal_path, {"event": "end", "run": self.run, "file": self.written.name}
                )
        if self.settings.json_path is not None:
            runfile.write_run(run, self.settings.json_path)
        return self.written

    def adopt_the_rest(self) -> None:
        """Keep what the resumed run had measured and this selection left out; put all in collected order.

        A case of which some repeats never came is interrupted. That is not journalled, so that a resumed run
        goes on at the next repeat.
        """
        self.records += self.repeats.cut_short()
        new = [record for record in self.records if record not in self.finished_before]
        again = {record["case"] for record in new}
        earlier = (record for record in self.finished_before if record["status"] == "ok")
        kept = [*(record for record in earlier if record["case"] not in again), *new]
        places = sort_as_collected([record["case"] for record in kept], self.collected)
        self.records = [kept[place] for place in places]

    @property
    def idle_watts(self) -> float | None:
        """What the whole machine drew before the first case; None if unknown."""
        return None if self.idle is None else self.idle["watts"]["total"]

    def block(self) -> dict[str, Any]:
        """Return the file-level `energy` block."""
        return {
            "schema": record.SCHEMA,
            "fingerprint": self.fingerprint,
            "hardware": self.hardware,
            "meters": [meter.name for meter in self.meters],
            "suite_version": __version__,
            "run": self.run,
            "started": self.started,
            "finished": None,
            "command": self.settings.command,
            "idle": self.idle,
            "instrument": self._instrument(),
            "grid_g_per_kwh": self.settings.grid_g_per_kwh,
            "order": {"rule": self.order, "measured": [list(place) for place in self.sequence]},
            **self.notes,
        }

    def _prove_json_writable(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            prove_writable(folder)
        except OSError as problem:
            raise StoreError(f"{folder} cannot be written ({problem.strerror or problem})") from problem

    def _resume(self) -> None:
        if not self.settings.resume:
            return
        unfinished = journal.find_unfinished(self.journal_path)
        if unfinished is None:
            self.say(f"--energy-resume: no unfinished run in {self.journal_path}; starting a new one")
            return
        self.run, self.finished_before = unfinished.id, unfinished.records
        self.repeats, self.sequence = Repeats(unfinished.repeats), list_measured(unfinished.events)
        ended = {done["case"] for done in self.finished_before}
        begun = {event["record"]["case"] for event in unfinished.repeats} - ended
        more = f", some repeats of {len(begun)} more" if begun else ""
        finished = f"{len(self.finished_before)} case(s) finished"
        self.say(f"--energy-resume: going on with run {self.run}, {finished}{more}")

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
