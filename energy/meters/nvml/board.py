"""One NVIDIA board: asking its sensors, finding out what they cover, and following what they say.

On a superchip (GH200, GB200) the energy counter is of the whole module, with the CPU and its memory (Zeus,
pull request 172). That is found out by comparing it with the powers of the GPU and of the module: a counter
that comes nearer to the module's is a witness of domain "module", and the GPU's figure is the integral of its
own power.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from energy.meters._counting.follow import Counter, Integral
from energy.meters._counting.sampled import SampledCounter
from energy.meters._counting.sensors import PERIOD_SECONDS, NoValue, Sensor
from energy.meters._counting.watch import STEP_SECONDS, Watch
from energy.meters.nvml.sensor import seen_share
from energy.meters.nvml.state import Context
from energy.meters.nvml.visible import GPU_IS_LOST, RESET_REQUIRED, Board
from energy.reading import Count, Fault
from energy.reading.sampling import Paces

# arXiv 2312.02741: boards show between 0.95 and 1.05 of the truth, linearly; so the truth is what they show
# divided by that.
GAIN = (1 / 1.05, 1 / 0.95)
POWER_INSTANT = 186  # nvml.h, NVML_FI_DEV_POWER_INSTANT
GPU, MODULE = 0, 1  # nvml.h, NVML_POWER_SCOPE_*: the board alone; all of its module
MODULE_FACTOR = 3.0  # a GB200 has two GPUs and a CPU
SAME_SHARE = 0.05  # two powers that differ by less are of one thing: the gain error
# NVML API reference, nvmlDeviceGetPowerUsage: a mean over 1 s on Ampere (except GA100) and newer, and no name
# tells GA100 for sure; instantaneous on what came before.
AVERAGE_SECONDS = 1.0
AMPERE = 7  # nvml.h, NVML_DEVICE_ARCH_AMPERE
BURST_FACTOR = 2.0  # over the power limit, for milliseconds
PLAUSIBLE_WATTS = 1000.0  # where the board does not tell its limit
WAITED_FOR_SECONDS = 0.25  # a window's start waits for a move of counters that have no longer steps
UNINITIALIZED = 1  # nvml.h: somebody else has shut NVML down


class Gpu:
    """One board with its energy counter and its power, as far as it has them."""

    def __init__(self, library: Any, board: Board, clock: Callable[[], float]) -> None:
        self.board = board
        self.problem = self.doubt = ""
        self._library, self._clock, self._handle = library, clock, board.handle
        limit_watts, architecture = self._limit_watts(), self._architecture()
        share = seen_share(board.name, architecture)
        self.counter = SampledCounter(
            self._count("nvml_counter"),
            BURST_FACTOR * limit_watts,
            paces=Paces(limit_watts, share, STEP_SECONDS) if share < 1 else None,
            step_seconds=STEP_SECONDS,
        )
        # Polls and the sensor's values do not keep step, so that even of one that sees all some are missed.
        self.integral = Integral(
            self._count("nvml_power"),
            BURST_FACTOR * limit_watts,
            paces=Paces(limit_watts, share if share < 1 else None, STEP_SECONDS),
            gap_seconds=3 * PERIOD_SECONDS,
        )
        energy = self._first_that_answers(self._joules)
        power = self._first_that_answers(self._instant, self._usage)
        self._has_own_power = power == self._instant  # else it may be the module's
        self._module_power = self._first_that_answers(self._module)
        if power == self._usage and (architecture is None or architecture >= AMPERE):
            self.integral.average_seconds = (
                AVERAGE_SECONDS  # a mean that is taken for the moment would be wrong
            )
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

    @property
    def counter_moves(self) -> bool:
        """Whether its counter moves in steps that can be waited for."""
        has_one = any(sensor.follower is self.counter for sensor in self._sensors)
        return has_one and self.counter.step_seconds <= WAITED_FOR_SECONDS

    def describe(self) -> str:
        """Say which board this is and what it tells."""
        templates = [sensor.follower.template for sensor in self._sensors]
        sources = [each.source + " of the module" * (each.domain == "module") for each in templates]
        doubt = f" ({self.doubt})" if self.doubt else ""
        return f"{self.board.name} {self.board.uuid}: {' and '.join(sources) or self.problem}{doubt}"

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
        known = tuple([self._counted(sensor.follower) for sensor in self._sensors])
        if all(count.domain == "module" for count in known):
            reason = "the board tells its module's energy or power only, with the CPU and memory in it"
            return (*known, replace(self._count("nvml_power"), reason=reason))
        return known

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

    def watch(self) -> Watch:
        """Return what asks the counter for a moment, and the powers that it may be of."""
        asks = {sensor.follower.template.source: sensor.ask for sensor in self._sensors}
        powers = {"gpu": asks.get("nvml_power"), "module": self._module_power}
        return Watch(
            self._answering(asks["nvml_counter"]) if "nvml_counter" in asks else None,
            {name: self._answering(ask) for name, ask in powers.items() if ask is not None},
        )

    def judge(self, seen: Watch) -> None:
        """Say what the counter and the power are of, and whether the counter can be believed."""
        self.counter.step_seconds = seen.step_seconds()
        for paces in (self.counter.paces, self.integral.paces):
            if paces is not None:
                paces.step_seconds = self.counter.step_seconds
        if self._is_on_a_module(seen):
            if not self._has_own_power or seen.nearest() != "gpu":
                self._bill(self.counter, "module")
            if not self._has_own_power:
                self._bill(self.integral, "module")
        self.doubt = seen.doubt(self.counter.template.domain)
        if self.doubt:
            self._bill(self.counter, self.counter.template.domain)

    def _is_on_a_module(self, seen: Watch) -> bool:
        """Say whether the board shares its module with a CPU whose power NVML knows, too."""
        own, module = seen.mean_watts("gpu"), seen.mean_watts("module")
        if module is None:
            return False
        return not self._has_own_power or own is None or module > own * (1 + SAME_SHARE)

    @staticmethod
    def _bill(follower: Counter | Integral, domain: str) -> None:
        """Keep what a sensor shows as a witness of this domain."""
        follower.template = replace(follower.template, domain=domain, witness=True)
        if domain == "module":
            follower.max_watts *= MODULE_FACTOR

    def has_moved(self, since_seconds: float) -> bool:
        """Look at the counter, and say whether it has moved since an instant at which all work had ended."""
        sensor = self._sensors[0]
        self._asked(sensor)
        if self.counter.moved_seconds <= since_seconds:
            return False
        self.counter.rest()
        return True

    def _counted(self, follower: Counter | Integral) -> Count:
        """Fill in a count; one that is unknown now keeps what it has shown."""
        known = follower.problem is None
        if follower is self.integral:
            if self.counter.paces is not None and self.integral.paces is not None:
                self.integral.paces.step_seconds = self.counter.paces.step_seconds  # it is the sensor's
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

    def _answering(self, ask: Callable[[], float]) -> Callable[[], float | None]:
        return lambda: self._answer(ask)

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
        return self._field(GPU)

    def _module(self) -> float:
        return self._field(MODULE)

    def _field(self, scope: int) -> float:
        (field,) = self._library.nvmlDeviceGetFieldValues(self._handle, [(POWER_INSTANT, scope)])
        if field.nvmlReturn != 0:
            raise self._library.NVMLError(field.nvmlReturn)
        return _watts(field.value.uiVal)

    def _usage(self) -> float:
        return _watts(self._library.nvmlDeviceGetPowerUsage(self._handle))

    def _architecture(self) -> int | None:
        try:
            return int(self._library.nvmlDeviceGetArchitecture(self._handle))
        except self._library.NVMLError:
            return None

    def _limit_watts(self) -> float:
        try:
            _, most = self._library.nvmlDeviceGetPowerManagementLimitConstraints(self._handle)
        except self._library.NVMLError:
            return PLAUSIBLE_WATTS
        return float(most) / 1000 or PLAUSIBLE_WATTS

    def _count(self, source: str) -> Count:
        low, high = GAIN
        return Count("gpu", self.board.uuid, source, "measured", None, 0.0, low, high, reason="not read yet")


def _watts(milliwatts: int) -> float:
    """Convert a power reading; no working GPU draws nothing, boards that are asked too often say so."""
    if milliwatts <= 0:
        raise NoValue("the board reports 0 W")
    return milliwatts / 1000
