"""What a board's power sensor shows of a simulated machine: seldom, late, averaged, and a little wrong.

A sensor has a new value every `period_seconds`: the mean power over the last `window_seconds`, times a gain,
plus noise, in whole quanta. A part-time sensor sees only `window_seconds` of each period. The energy counter
adds up value times period. That is the pessimistic reading: whether the counters of NVIDIA's boards are made
from the part-time samples is not documented.

Periods and windows are those of Yang et al., Part-time Power Measurements (SC'24, arXiv 2312.02741), table 2;
they found gains within about 5 % of 1, and phases that are set when the machine is switched on. Lag and noise
are assumed: 5 ms from the end of the averaging window to the value, and half a watt.
"""

import math
import random
from dataclasses import dataclass, field, replace

START_SECONDS = 1000.0  # when a simulated machine is switched on


@dataclass(frozen=True)
class Sensor:
    """One kind of sensor.

    power_window_seconds: what the displayed power averages over, if that is more than the counter's samples.
    """

    period_seconds: float
    window_seconds: float
    power_window_seconds: float | None = None
    lag_seconds: float = 0.005
    gain: float = 1.0
    noise_watts: float = 0.5
    quantum_watts: float = 0.001
    quantum_joules: float = 0.001
    phase_seconds: float = 0.0
    jitter_seconds: float = 0.0  # each value comes up to so much later
    seed: int = 0


@dataclass(frozen=True)
class Preset:
    """A board as a test needs it: its sensor, and how it answers NVML."""

    sensor: Sensor
    name: str
    architecture: int  # nvml.h, NVML_DEVICE_ARCH_*
    instant: bool  # does it know NVML_FI_DEV_POWER_INSTANT?
    limit_watts: float


PRESETS = {
    "V100": Preset(Sensor(0.02, 0.01), "Tesla V100-SXM2-32GB", 5, False, 300.0),
    "A100": Preset(Sensor(0.1, 0.025), "NVIDIA A100-SXM4-80GB", 7, True, 400.0),
    "H100 instant": Preset(Sensor(0.1, 0.025), "NVIDIA H100 80GB HBM3", 9, True, 700.0),
    "H100 average": Preset(Sensor(0.1, 0.025, 1.0), "NVIDIA H100 80GB HBM3", 9, False, 700.0),
    "RTX 3090": Preset(Sensor(0.1, 0.1), "NVIDIA GeForce RTX 3090", 7, True, 350.0),
    "GH200": Preset(Sensor(0.1, 0.02), "NVIDIA GH200 480GB", 9, True, 900.0),
}


def drawn(sensor, seed, gain_error=0.05):
    """Return the sensor of one particular board: its gain within `gain_error` of 1, its phase anywhere."""
    draw = random.Random(seed)
    return replace(
        sensor,
        gain=1 + draw.uniform(-gain_error, gain_error),
        phase_seconds=draw.uniform(0.0, sensor.period_seconds),
        seed=seed,
    )


@dataclass
class Seen:
    """What a sensor has seen of one device of a machine, tick by tick."""

    sensor: Sensor
    machine: object
    shape: object = None
    _noise: random.Random = field(init=False)
    _times: list = field(default_factory=list)
    _watts: list = field(default_factory=list)
    _joules: list = field(default_factory=lambda: [0.0])

    def __post_init__(self):
        self._noise = random.Random(self.sensor.seed)

    def watts(self, seconds):
        """Return the power on display."""
        return self._watts[self._upto(seconds)]

    def joules(self, seconds):
        """Return what the counter has added up since the machine was switched on."""
        quantum = self.sensor.quantum_joules
        return math.floor(self._joules[self._upto(seconds) + 1] / quantum) * quantum

    def _upto(self, seconds):
        """Return the number of the sensor's last tick, having played all ticks until then."""
        sensor = self.sensor
        last = max(0, math.floor((seconds - START_SECONDS - sensor.phase_seconds) / sensor.period_seconds))
        while len(self._watts) <= last:
            self._tick(START_SECONDS + sensor.phase_seconds + len(self._watts) * sensor.period_seconds)
        return last - (last > 0 and self._times[last] > seconds)

    def _tick(self, seconds):
        sensor, noise = self.sensor, self._noise.gauss(0.0, self.sensor.noise_watts)
        seconds += self._noise.uniform(0.0, sensor.jitter_seconds) if sensor.jitter_seconds else 0.0
        self._times.append(seconds)
        seen = self._shown(seconds, sensor.window_seconds, noise)
        self._joules.append(self._joules[-1] + seen * sensor.period_seconds)
        wide = sensor.power_window_seconds
        self._watts.append(seen if wide is None else self._shown(seconds, wide, noise))

    def _shown(self, seconds, window_seconds, noise_watts):
        sensor = self.sensor
        end = max(START_SECONDS + 1e-3, seconds - sensor.lag_seconds)
        start = max(START_SECONDS, end - window_seconds)
        mean = self.machine.energy(start, end, self.shape) / (end - start)
        quantum = sensor.quantum_watts
        return max(0.0, round((sensor.gain * mean + noise_watts) / quantum) * quantum)
