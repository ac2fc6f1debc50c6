"""One AMD board: asking its sensors through amdsmi, and finding out whether its counter can be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.meters._counting.follow import Counter, Integral
from energy.meters._counting.sensors import PERIOD_SECONDS, Gone, NoValue, Sensor
from energy.meters._counting.watch import STEP_SECONDS, Ask, Watch, watch
from energy.meters.amd.visible import Board
from energy.reading import Count

GAIN = (0.95, 1.05)  # assumed: AMD states no error; NVIDIA's boards have it (arXiv 2312.02741)
BURST_FACTOR = 2.0  # over the power cap, for milliseconds
PLAUSIBLE_WATTS = 2000.0  # where the board does not tell its cap
MICRO = 1e-6
POWER = "power"  # what the counter is compared with
LEAST_MICROWATTS = 10_000  # caps are in watts in some versions of amdsmi and in microwatts in others
POWER_KEYS = ("current_socket_power", "average_socket_power", "socket_power")  # MI300; older boards; either
ENERGY_KEYS = ("energy_accumulator", "power")  # since amdsmi 6.2.1; before
NOT_FOUND, DRIVER_NOT_LOADED = 31, 34  # amdsmi.h, amdsmi_status_t
ALL_ONES = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # how the driver says that it does not know


@dataclass
class Watched:
    """A board with its sensors, and what speaks against it."""

    board: Board
    sensors: list[Sensor]
    problem: str = ""

    def describe(self) -> str:
        """Say which board this is, what it tells, and what speaks against it."""
        sources = " and ".join(sensor.follower.template.source for sensor in self.sensors)
        doubt = f" ({self.problem})" if self.problem and self.sensors else ""
        return f"{self.board.gpus[0].name} {self.board.device}: {sources or self.problem}{doubt}"


def watched(library: Any, board: Board, clock: Callable[[], float]) -> Watched:
    """Find out what a board tells: its counter, its power, both or neither."""
    found = Watched(board, [])
    handle, max_watts = board.gpus[0].handle, _max_watts(library, board.gpus[0].handle)
    if (energy := _answering(found, _joules(library, handle))) is not None:
        counter = Counter(_count(board, "amdsmi_counter"), max_watts, step_seconds=STEP_SECONDS)
        found.sensors.append(Sensor(counter, energy))
    if (power := _answering(found, *(_watts(library, handle, key) for key in POWER_KEYS))) is not None:
        integral = Integral(_count(board, "amdsmi_power"), max_watts, gap_seconds=3 * PERIOD_SECONDS)
        found.sensors.append(Sensor(integral, power))
    if found.sensors:
        found.problem = ""
    for sensor in found.sensors if board.shared else ():
        sensor.follower.share(clock(), "the board's other GPUs share its sensor: this is all of it")
    return found


def observe(boards: Sequence[Watched], clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    """Watch all counters for a moment: how often they move, and whether they agree with the power.

    The resolution of some counters is wrong, and others do not move (ROCm/amdsmi issues 22 and 38). Such a
    counter becomes a witness, so that the power's integral is the figure.
    """
    watches = [Watch(_looking(board, Counter), _powers(board)) for board in boards]
    watch(watches, clock, sleep)
    for board, seen in zip(boards, watches, strict=True):
        for sensor in board.sensors:
            counter = sensor.follower
            if isinstance(counter, Counter):
                counter.step_seconds = seen.step_seconds()
                if doubt := seen.doubt(POWER):
                    board.problem = doubt
                    counter.template = replace(counter.template, witness=True)


def _powers(board: Watched) -> dict[str, Ask]:
    power = _looking(board, Integral)
    return {POWER: power} if power is not None else {}


def _looking(board: Watched, kind: type[Counter | Integral]) -> Ask | None:
    """Return what asks the sensor of this kind; a failure tells nothing here, the meter will record it."""
    asks = [sensor.ask for sensor in board.sensors if isinstance(sensor.follower, kind)]

    def look() -> float | None:
        try:
            return asks[0]()
        except (NoValue, Gone):
            return None

    return look if asks else None


def _answering(board: Watched, *asks: Callable[[], float]) -> Callable[[], float] | None:
    for ask in asks:
        try:
            ask()
        except (NoValue, Gone) as problem:
            board.problem = str(problem)
        else:
            return ask
    return None


def _joules(library: Any, handle: Any) -> Callable[[], float]:
    def ask() -> float:
        answer = _asked(library, library.amdsmi_get_energy_count, handle)
        count = next((answer[key] for key in ENERGY_KEYS if key in answer), "N/A")
        resolution = _number(answer.get("counter_resolution", "N/A"), "resolution")
        return _number(count, "energy count") * resolution * MICRO

    return ask


def _watts(library: Any, handle: Any, key: str) -> Callable[[], float]:
    def ask() -> float:
        return _number(_asked(library, library.amdsmi_get_power_info, handle).get(key, "N/A"), key)

    return ask


def _asked(library: Any, function: Callable[[Any], Mapping[str, Any]], handle: Any) -> Mapping[str, Any]:
    try:
        return function(handle)
    except library.AmdSmiLibraryException as problem:
        reason = f"amdsmi: {problem.get_error_info()}"
        if problem.get_error_code() in (NOT_FOUND, DRIVER_NOT_LOADED):
            raise Gone(f"{reason} (the GPU was lost)") from None
        raise NoValue(reason) from None


def _number(value: Any, what: str) -> float:
    """Return a number above 0: no GPU draws nothing; a second die that says so has its neighbour's sensor."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value in ALL_ONES or value <= 0:
        raise NoValue(f"the board reports {value!r} as its {what}, expected a number above 0")
    return float(value)


def _max_watts(library: Any, handle: Any) -> float:
    try:
        cap = _number(_asked(library, library.amdsmi_get_power_cap_info, handle).get("max_power_cap"), "cap")
    except (NoValue, Gone):
        return PLAUSIBLE_WATTS
    return BURST_FACTOR * (cap * MICRO if cap >= LEAST_MICROWATTS else cap)


def _count(board: Board, source: str) -> Count:
    low, high = GAIN
    return Count("gpu", board.device, source, "measured", None, 0.0, low, high, reason="not read yet")
