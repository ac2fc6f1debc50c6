"""The perf events of energy: the files that describe them, and counts that follow a simulated machine."""

from dataclasses import dataclass, field

from tests.simulated.machine import Constant

SCALE = "2.3283064365386962890625e-10"  # as every kernel has it
EVENTS = {  # watts of each package
    "energy-cores": (0x01, Constant(70.0)),
    "energy-pkg": (0x02, None),  # the machine's
    "energy-ram": (0x03, Constant(10.0)),
    "energy-gpu": (0x04, Constant(5.0)),
    "energy-psys": (0x05, Constant(300.0)),
}
KIND = 14


@dataclass
class Events:
    """Write the files under `root`; `packages` says of which package and die each counting CPU is."""

    root: object
    machine: object
    packages: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 0), 18: (1, 0)})
    names: tuple[str, ...] = tuple(EVENTS)
    vendor: str = "GenuineIntel"
    refusal: OSError | None = None
    given_up_at: float = float("inf")
    opened: dict[int, tuple[int, int, float]] = field(default_factory=dict)  # config, CPU, since

    def __post_init__(self):
        unit = self.root / "sys/bus/event_source/devices/power"
        (unit / "events").mkdir(parents=True)
        (unit / "type").write_text(f"{KIND}\n")
        (unit / "cpumask").write_text(",".join(map(str, self.packages)) + "\n")
        for name in self.names:
            (unit / "events" / name).write_text(f"event={EVENTS[name][0]:#04x}\n")
            (unit / "events" / f"{name}.scale").write_text(f"{SCALE}\n")
            (unit / "events" / f"{name}.unit").write_text("Joules\n")
        for cpu, (package, die) in self.packages.items():
            topology = self.root / f"sys/devices/system/cpu/cpu{cpu}/topology"
            topology.mkdir(parents=True)
            (topology / "physical_package_id").write_text(f"{package}\n")
            (topology / "die_id").write_text(f"{die}\n")
        (self.root / "proc").mkdir()
        (self.root / "proc/cpuinfo").write_text(f"vendor_id\t: {self.vendor}\nflags\t\t: fpu\n")

    def open(self, kind, config, cpu):
        """Count from 0, as the kernel does from the opening on."""
        if self.refusal:
            raise self.refusal
        assert kind == KIND
        descriptor = 100 + len(self.opened)
        self.opened[descriptor] = (config, cpu, self.machine.now())
        return descriptor

    def read(self, descriptor):
        config, _, since = self.opened[descriptor]
        if self.machine.now() >= self.given_up_at:
            return b""
        shape = dict(EVENTS.values())[config]
        counts = round(self.machine.energy(since, self.machine.now(), shape) / float(SCALE))
        return counts.to_bytes(8, "little")

    def close(self, descriptor):
        del self.opened[descriptor]
