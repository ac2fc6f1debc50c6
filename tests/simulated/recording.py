"""A machine that shows again what a recording holds: a library, files and clocks for the meters.

recorded = Recording(path); machine = Replay(recorded, root)
nvml.open(library=machine, clock=machine.now, sleep=machine.advance)
rapl.open(root=machine.powercap, clock=machine.now, sleep=machine.advance)
hwmon.open(root=machine.hwmon, clock=machine.now)

A sensor shows what its last answer was that had arrived by then.
"""

import gzip
import json
from bisect import bisect_right
from types import SimpleNamespace

from energy.meters._recording import FORMAT, VERSION
from tests.simulated.nvml import NOT_SUPPORTED, UNKNOWN, NVMLError
from tests.simulated.powercap import RANGE_UJ

START_SECONDS = 1000.0
REASONS, TEMPERATURE, CLOCK = "CurrentClocksEventReasons", "Temperature", "ClockInfo"


class Recording:
    """What a file of recorded sensors holds: `header`, and per sensor the times and values of its answers."""

    def __init__(self, path):
        with gzip.open(path, "rt") as file:
            self.header = json.loads(file.readline())
            lines = [json.loads(line) for line in file]
        assert (self.header["format"], self.header["version"]) == (FORMAT, VERSION)
        *rows, end = lines
        assert end == {"answers": len(rows)}, f"{path} was cut off"
        self.names = [sensor["name"] for sensor in self.header["sensors"]]
        self.units = {sensor["name"]: sensor["unit"] for sensor in self.header["sensors"]}
        self.answers = {name: ([], []) for name in self.names}
        for sensor, asked, took, value, *_ in rows:
            times, values = self.answers[self.names[sensor]]
            times.append((asked + took) / 1e6)
            values.append(value)
        self.seconds = max(times[-1] for times, _ in self.answers.values() if times)

    def at(self, name, seconds):
        """Return what a sensor showed so many seconds after the start; None if it failed."""
        times, values = self.answers[name]
        place = bisect_right(times, seconds)
        return values[max(0, place - 1)] if values else None


class Replay:
    """The recorded machine: a clock that only `advance` moves, NVML's calls, and files under `root`."""

    NVMLError = NVMLError

    def __init__(self, recording, root):
        self.recording, self.root = recording, root
        self.seconds, self.users = START_SECONDS, 0
        self.sources = recording.header["sources"]
        self.powercap, self.hwmon = root / "powercap", root / "hwmon"
        self._written = {}
        for zone in self.sources.get("powercap", {"zones": []})["zones"]:
            self._make(
                self.powercap / zone["zone"], {name: text for name, text in zone.items() if name != "zone"}
            )
        for number, sensor in enumerate(self.sources.get("hwmon", {"sensors": []})["sensors"]):
            start = sensor["file"].rpartition("_")[0]
            label = "oem_info" if sensor["chip"] == "power_meter" else "label"
            facts = {"name": sensor["chip"], f"{start}_{label}": sensor["label"]}
            self._make(self.hwmon / f"hwmon{number}", facts)
        self.now()

    def now(self):
        for name in self.recording.names:
            source, _, rest = name.partition("/")
            if source == "powercap":
                self._show(self.powercap / rest, name)
            elif source == "hwmon":
                sensor = self.sources["hwmon"]["sensors"][int(rest)]
                self._show(self.hwmon / f"hwmon{rest}" / sensor["file"], name)
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds
        self.now()

    def _make(self, folder, texts):
        folder.mkdir(parents=True)
        for name, text in texts.items():
            (folder / name).write_text(f"{text or RANGE_UJ if name.startswith('max_energy') else text}\n")

    def _show(self, file, name):
        value = self.recording.at(name, self.seconds - START_SECONDS)
        if self._written.get(file, self) != value:
            file.write_text("" if value is None else f"{value}\n")
            self._written[file] = value

    # NVML

    def nvmlInit(self):
        self.users += 1

    def nvmlShutdown(self):
        self.users -= 1

    def nvmlSystemGetDriverVersion(self):
        return self.sources["nvml"]["driver"]

    def nvmlDeviceGetCount(self):
        return len(self.sources["nvml"]["gpus"])

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.sources["nvml"]["gpus"][index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return next(gpu for gpu in self.sources["nvml"]["gpus"] if self.nvmlDeviceGetUUID(gpu) == uuid)

    def nvmlDeviceGetUUID(self, gpu):
        return f"GPU-{int(gpu['id'][4:]):08x}-0000-0000-0000-000000000000"

    def nvmlDeviceGetName(self, gpu):
        return gpu["name"]

    def nvmlDeviceGetPciInfo(self, gpu):
        bus = int(gpu["id"][4:]) + 1
        return SimpleNamespace(domain=0, bus=bus, device=0, busId=f"00000000:{bus:02X}:00.0")

    def nvmlDeviceGetArchitecture(self, gpu):
        return self._fact(gpu["architecture"])

    def nvmlDeviceGetPowerManagementLimitConstraints(self, gpu):
        return self._fact(gpu["limits_mw"])

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu):
        return self._fact(gpu["enforced_limit_mw"])

    def nvmlDeviceGetMigMode(self, gpu):
        return [self._fact(gpu["mig"])] * 2

    def nvmlDeviceGetFieldValues(self, gpu, fields):
        return [self._field(gpu, *(field if isinstance(field, tuple) else (field, 0))) for field in fields]

    def __getattr__(self, call):
        """Answer any other call with what was recorded of it; with "not supported" if nothing was."""
        if not call.startswith("nvmlDeviceGet"):
            raise AttributeError(call)
        return lambda gpu, *arguments: self._shown("/".join((gpu["id"], call, *map(str, arguments))))

    def _field(self, gpu, number, scope):
        try:
            value = self._shown(f"{gpu['id']}/nvmlDeviceGetFieldValues/{number}/{scope}")
        except NVMLError as problem:
            return SimpleNamespace(nvmlReturn=problem.value, value=None)
        return SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=value))

    def _shown(self, name):
        if name not in self.recording.answers:
            raise NVMLError(NOT_SUPPORTED)
        value = self.recording.at(name, self.seconds - START_SECONDS)
        if value is None:
            raise NVMLError(UNKNOWN)
        return value

    def _fact(self, value):
        if value is None:
            raise NVMLError(NOT_SUPPORTED)
        return value
