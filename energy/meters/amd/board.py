"""One AMD board: asking its sensors through amdsmi, and finding out whether its counter can be believed."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from energy.meters._counting.follow import Counter, Integral
from energy.meters._counting.sensors import PERIOD_SECONDS, Gone, NoValue, Sensor
from energy.meters.amd.visible import Board
from energy.reading import Count

GAIN = (0.95, 1.05)  # assumed: AMD states no error; NVIDIA's boards have it (arXiv 2312.02741)
BURST_FACTOR = 2.0  # over the power cap, for milliseconds
PLAUSIBLE_WATTS = 2000.0  # where the board does not tell its cap
MICRO = 1e-6
LEAST_MICROWATTS = 10_000  # caps are in watts in some versions of amdsmi and in microwatts in others
OBSERVE_SECONDS = 0.5  # of a counter, to find its step: it is taken for this if fewer than two moves are seen
OBSERVE_EVERY_SECONDS = 0.005
BELIEVABLE = 2.0  # counter and power may differ by this factor over half a second of changing load
POWER_KEYS = ("current_socket_power", "average_socket_power", "socket_power")  # MI300; older boards; either
ENERGY_KEYS = ("energy_accumulator", "power")  # since amdsmi 6.2.1; before
NOT_FOUND, DRIVER_NOT_LOADED = 31, 34  # amdsmi.h, amdsmi_status_t
ALL_ONES = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # how the driver says that it does not know


@dataclass
class Watched:
    """A board with its sensors, and what was seen of them while it was opened."""

    board: Board
    sensors: list[Sensor]
    problem: str = ""
    moves: list[tuple[float, float]] = field(default_factory=list)  # of the counter: seconds, joules
    watts: list[float] = field(default_factory=list)

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
        counter = Counter(_count(board, "amdsmi_counter"), max_watts, step_seconds=OBSERVE_SECONDS)
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
    end = clock() + OBSERVE_SECONDS
    while clock() < end:
        for board in boards:
            _look(board, clock)
        sleep(OBSERVE_EVERY_SECONDS)
    for board in boards:
        _judge(board)


def _look(board: Watched, clock: Callable[[], float]) -> None:
    for sensor in board.sensors:
        try:
            value = sensor.ask()
        except (NoValue, Gone):
            continue  # a failed look tells nothing here; the meter's own samples will record it
        if isinstance(sensor.follower, Integral):
            board.watts.append(value)
        elif not board.moves or board.moves[-1][1] != value:
            board.moves.append((clock(), value))


def _judge(board: Watched) -> None:
    counter = next(
        (sensor.follower for sensor in board.sensors if isinstance(sensor.follower, Counter)), None
    )
    if counter is None:
        return
    seen = board.moves[1:]  # the first value had been there for nobody knows how long
    steps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(seen)]
    counter.step_seconds = statistics.median(steps) if steps else OBSERVE_SECONDS
    doubt = _doubt(seen, board.watts)
    if doubt:
        board.problem = doubt
        counter.template = replace(counter.template, witness=True)


def _doubt(moves: Sequence[tuple[float, float]], watts: Sequence[float]) -> str:
    """Say what speaks against the counter; nothing if there is no power to compare it with."""
    if not watts:
        return ""
    if len(moves) < 2:
        return f"the counter did not move within {OBSERVE_SECONDS} s: only a witness"
    (start, first), (end, last) = moves[0], moves[-1]
    counted, power = (last - first) / (end - start), statistics.fmean(watts)
    if power / BELIEVABLE <= counted <= power * BELIEVABLE:
        return ""
    return f"the counter moves by {counted:.3g} W where the power is {power:.3g} W: only a witness"


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
