"""The tools side by side, each used as its documentation says, behind one face.

    tool.open()             # before the window
    tool.begin(); ...; answer = tool.end()

An answer says what the tool's own result says. Whatever it warned of on the way, in its log or by Python's
warnings, counts as said too, and so does an exception. `needs` are libraries that take long to import.
"""

import importlib.metadata
import logging
import threading
import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace

JOULES_PER_KWH = 3.6e6


@dataclass
class Answer:
    """Joules and seconds of a window, the band around the joules if any, and what was said against them."""

    joules: float | None
    seconds: float | None = None
    band: tuple[float, float] | None = None
    says: list[str] = field(default_factory=list)


class Ours:
    """joulebench: two readings, subtracted."""

    name, package, needs = "joulebench", "joulebench", ()

    def __init__(self, stage):
        self._stage, self._domain = stage, stage.script.domain
        import energy
        from energy.meters import rapl
        from energy.meters._watch import claims
        from energy.meters._watch import sampler as _sampler

        self._energy = energy
        claims.FOLDER = stage.folder / "claims"
        _sampler.threading = stage.threading
        rapl.open.__kwdefaults__["root"] = stage.powercap_root

    def open(self):
        sensor = "nvml" if self._domain == "gpu" else "rapl"
        self._meters = self._energy.open_meters("cpu_model" if self._stage.script.model else sensor)

    def begin(self):
        self._before = self._energy.read(self._meters)

    def end(self):
        return self._answer(self._energy.read(self._meters) - self._before)

    def inner(self, seconds):
        before = self._energy.read(self._meters)
        self._stage.time.advance(seconds)
        return self._answer(self._energy.read(self._meters) - before)

    def close(self):
        self._energy.close(self._meters)

    def _answer(self, spent):
        reasons = [part.reason for part in spent.headline() if part.reason]
        says = [*spent.flags(), *reasons]
        return Answer(spent.joules(self._domain), spent.seconds, spent.band(self._domain), says)


class CodeCarbon:
    """CodeCarbon: `start()` and `stop()` of the offline tracker, or its tasks where the script says so."""

    name, package = "CodeCarbon", "codecarbon"
    needs = ("pandas", "psutil", "rapidfuzz", "requests")

    def __init__(self, stage):
        self._stage, self._domain = stage, stage.script.domain
        from codecarbon.core import cpu
        from codecarbon.external import hardware, scheduler

        scheduler.Timer = stage.threading.Timer
        root = str(stage.powercap_root / "intel-rapl")
        looks, rapl = cpu.is_rapl_available, hardware.IntelRAPL
        cpu.is_rapl_available = lambda rapl_dir=None: looks(root)
        hardware.IntelRAPL = lambda **given: rapl(**given | {"rapl_dir": root})

    def open(self):
        from codecarbon import OfflineEmissionsTracker

        self._tracker = OfflineEmissionsTracker(
            country_iso_code="POL",
            output_methods=[],
            log_level="warning",
            tracking_mode="process" if self._stage.script.model else "machine",
        )

    def begin(self):
        if self._stage.script.tasks:
            self._tracker.start_task("window")
        else:
            self._tracker.start()

    def end(self):
        if self._stage.script.tasks:
            return self._answer(self._tracker.stop_task("window"))
        self._tracker.stop()
        return self._answer(self._tracker.final_emissions_data)

    def inner(self, seconds):
        self._tracker.start_task("inner")
        self._stage.time.advance(seconds)
        return self._answer(self._tracker.stop_task("inner"))

    def close(self):
        pass  # `stop` was it

    def _answer(self, data):
        if data is None:
            return Answer(None, says=["it returned None"])
        says = ["gpu_count is 0"] if self._domain == "gpu" and not data.gpu_count else []
        return Answer(getattr(data, f"{self._domain}_energy") * JOULES_PER_KWH, data.duration, says=says)


class Zeus:
    """Zeus: `begin_window` and `end_window` of a ZeusMonitor, without torch to synchronise with."""

    name, package, needs = "Zeus", "zeus", ("pandas", "pydantic", "sklearn.metrics")

    def __init__(self, stage):
        self._stage, self._domain = stage, stage.script.domain
        from zeus.device.cpu import rapl

        rapl.RAPL_DIR = rapl.CONTAINER_RAPL_DIR = str(stage.powercap_root / "intel-rapl")
        rapl.mp = SimpleNamespace(get_context=lambda method: SimpleNamespace(Value=Shared, Process=child))

    def open(self):
        from zeus.monitor import ZeusMonitor

        self._monitor = ZeusMonitor()

    def begin(self):
        self._monitor.begin_window("window", sync_execution=False)

    def end(self):
        return self._answer(self._monitor.end_window("window", sync_execution=False))

    def inner(self, seconds):
        self._monitor.begin_window("inner", sync_execution=False)
        self._stage.time.advance(seconds)
        return self._answer(self._monitor.end_window("inner", sync_execution=False))

    def close(self):
        pass  # nothing of the kind is documented

    def _answer(self, measurement):
        parts = measurement.gpu_energy if self._domain == "gpu" else measurement.cpu_energy
        if not parts:
            return Answer(None, measurement.time, says=[f"{self._domain}_energy is {parts}"])
        return Answer(sum(parts.values()), measurement.time)


class Shared:
    """A number that Zeus shares with its process for RAPL wraps, which is a thread here, for the clock."""

    def __init__(self, kind, value):
        self.value, self._lock = value, threading.Lock()

    def get_lock(self):
        return self._lock


def child(target, args):
    """Stand in for multiprocessing's Process."""

    return threading.Thread(target=target, args=args, daemon=True)


TOOLS = {tool.name: tool for tool in (Ours, CodeCarbon, Zeus)}


def version(tool):
    """The installed version, or None."""
    try:
        return importlib.metadata.version(tool.package)
    except importlib.metadata.PackageNotFoundError:
        return None


def listen(said):
    """Collect in `said` what is warned of from now on: by log records of level WARNING, or by Python."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    for name in ("codecarbon", "zeus"):
        logging.getLogger(name).addHandler(handler)
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: said.append(str(message))
