"""One NVIDIA board: asking its sensors, and following what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from energy.meters._counting.follow import Counter, Integral
from energy.meters._counting.sampled import SampledCounter
from energy.meters._counting.sensors import PERIOD_SECONDS, NoValue, Sensor
from energy.meters._counting.step import STEP_SECONDS, observed_step
from energy.meters.nvml.state import Context
from energy.meters.nvml.visible import GPU_IS_LOST, RESET_REQUIRED, Board
from energy.reading import Count, Fault

# arXiv 2312.02741: boards show between 0.95 and 1.05 of the truth, linearly; so the truth is what they show
# divided by that.
GAIN = (1 / 1.05, 1 / 0.95)
POWER_INSTANT = 186  # nvml.h, NVML_FI_DEV_POWER_INSTANT
# NVML API reference, nvmlDeviceGetPowerUsage: a mean over 1 s on Ampere (except GA100) and newer, and no name
# tells GA100 for sure; instantaneous on what came before.
AVERAGE_SECONDS = 1.0
AMPERE = 7  # nvml.h, NVML_DEVICE_ARCH_AMPERE
BURST_FACTOR = 2.0  # over the power limit, for milliseconds
PLAUSIBLE_WATTS = 2000.0  # where the board does not tell its limit
UNINITIALIZED = 1  # nvml.h: somebody else has shut NVML down


class Gpu:
    """One board with its energy counter and its power, as far as it has them."""

    def __init__(self, library: Any, board: Board, clock: Callable[[], float]) -> None:
        self.board = board
        self.problem = ""
        self._library, self._clock, self._handle = library, clock, board.handle
        max_watts = self._max_watts()
        self.counter = SampledCounter(self._count("nvml_counter"), max_watts, step_seconds=STEP_SECONDS)
        self.integral = Integral(self._count("nvml_power"), max_watts, gap_seconds=3 * PERIOD_SECONDS)
        energy = self._first_that_answers(self._joules)
        power = self._first_that_answers(self._instant, self._usage)
        if power == self._usage and self._averages():
            self.integral.average_seconds = AVERAGE_SECONDS
        self._sensors = [Sensor(self.counter, energy)] if energy else []
        self._sensors += [Sensor(self.integral, power)] if power else []
        source = self._sensors[0].follower.template.source if self._sensors else "nvml_counter"
        self._context = Context(library, lambda: self._handle, source, board.uuid, board.name)
        if board.shared:
            for sensor in self._sensors:
                sensor.follower.share(
                    clock(), "a MIG board: its instances share one sensor, this is all of it"
                )

    @property
    def works(self) -> bool:
        """Whether the board tells anything."""
        return bool(self._sensors)

    def describe(self) -> str:
        """Say which board this is and what it tells."""
        sources = " and ".join(sensor.follower.template.source for sensor in self._sensors) or self.problem
        return f"{self.board.name} {self.board.uuid}: {sources}"

    def sample(
        self,
        clock: Callable[[], float],  # noqa: ARG002 -- a board has its own
        asked: float | None = None,  # noqa: ARG002 -- nothing is asked for beforehand
        attempts: int = 1,
    ) -> None:
        """Ask every sensor once, and again only if it fails."""
        for sensor in self._sensors:
            for _ in range(attempts):
                if self._asked(sensor):
                    break

    def counts(self) -> tuple[Count, ...]:
        """Return the counts as of the last sample; an unknown one if the board tells nothing."""
        if not self._sensors:
            self.counter.miss(f"the board tells neither energy nor power: {self.problem}")
            return (self.counter.count(0.0, 0.0),)
        return tuple([self._counted(sensor.follower) for sensor in self._sensors])

    def faults(self) -> list[Fault]:
        """Return all faults since the meter was opened."""
        faults = self._context.faults(self._clock())
        for sensor in self._sensors:
            faults += sensor.follower.faults
        return faults

    def look(self) -> None:
        """Look for throttling, and for strangers on the board."""
        self._context.look(self._clock())

    def state(self) -> dict[str, Any]:
        """Return what NVML says of the board now, beside its energy."""
        return self._context.state(self._clock())

    def miss(self, reason: str) -> None:
        """Make the counts unknown."""
        for sensor in self._sensors:
            sensor.follower.miss(reason)

    def observed_step(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> float:
        """Watch the counter for a moment and return the time between its moves."""
        counters = [sensor.ask for sensor in self._sensors if sensor.follower is self.counter]
        return observed_step(lambda: self._answer(counters[0]), clock, sleep) if counters else STEP_SECONDS

    def _counted(self, follower: Counter | Integral) -> Count:
        """Fill in a count; one that is unknown now keeps what it has shown."""
        known = follower.problem is None
        if follower is self.integral:
            ahead = self.integral.ahead_joules() if known else 0.0
            return follower.count(follower.edge_joules(), PERIOD_SECONDS, ahead)
        counter, watts = self.counter, self.integral.recent_watts()
        ahead = counter.ahead_joules(watts) if known else 0.0
        return counter.count(counter.stale_joules(watts), counter.step_seconds, ahead)

    def _asked(self, sensor: Sensor) -> bool:
        """Ask, and say whether there is no point in asking again."""
        asked = self._clock()
        try:
            value = sensor.ask()
        except NoValue as problem:
            sensor.follower.miss(str(problem))
            return False
        except self._library.NVMLError as problem:
            return self._failed(sensor.follower, problem)
        sensor.follower.see(asked, self._clock(), value)
        return True

    def _failed(self, follower: Counter | Integral, problem: Any) -> bool:
        if problem.value in (GPU_IS_LOST, RESET_REQUIRED):
            for sensor in self._sensors:
                sensor.follower.lose(self._clock(), f"GPU {self.board.uuid} was lost: {problem}")
            return True
        follower.miss(f"NVML: {problem}")
        if problem.value == UNINITIALIZED:
            self._begin_anew()
        return False

    def _begin_anew(self) -> None:
        try:
            self._library.nvmlInit()
            self._handle = self._library.nvmlDeviceGetHandleByUUID(self.board.uuid)
        except self._library.NVMLError as problem:
            self.miss(f"NVML was shut down and does not start again: {problem}")

    def _answer(self, ask: Callable[[], float]) -> float | None:
        try:
            return ask()
        except (NoValue, self._library.NVMLError) as problem:
            self.problem = str(problem)
            return None

    def _first_that_answers(self, *asks: Callable[[], float]) -> Callable[[], float] | None:
        return next((ask for ask in asks if self._answer(ask) is not None), None)

    def _joules(self) -> float:
        return float(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000

    def _instant(self) -> float:
        (field,) = self._library.nvmlDeviceGetFieldValues(self._handle, [POWER_INSTANT])
        if field.nvmlReturn != 0:
            raise self._library.NVMLError(field.nvmlReturn)
        return _watts(field.value.uiVal)

    def _usage(self) -> float:
        return _watts(self._library.nvmlDeviceGetPowerUsage(self._handle))

    def _averages(self) -> bool:
        try:
            return bool(self._library.nvmlDeviceGetArchitecture(self._handle) >= AMPERE)
        except self._library.NVMLError:
            return True  # to take a mean for the moment is wrong; the other way round is only careful

    def _max_watts(self) -> float:
        try:
            _, most = self._library.nvmlDeviceGetPowerManagementLimitConstraints(self._handle)
        except self._library.NVMLError:
            return PLAUSIBLE_WATTS
        return BURST_FACTOR * float(most) / 1000 or PLAUSIBLE_WATTS

    def _count(self, source: str) -> Count:
        low, high = GAIN
        return Count("gpu", self.board.uuid, source, "measured", None, 0.0, low, high, reason="not read yet")


def _watts(milliwatts: int) -> float:
    """Convert a power reading; no working GPU draws nothing, boards that are asked too often say so."""
    if milliwatts <= 0:
        raise NoValue("the board reports 0 W")
    return milliwatts / 1000
