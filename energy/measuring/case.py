"""A case while it runs: its windows, what was observed in them, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from energy.fault import NOTES
from energy.measuring import cooling
from energy.measuring.cooling import Cooler, Cooling
from energy.measuring.window import Window
from energy.meters._meter import Meter, Telling
from energy.records.metrics import METRICS
from energy.text import explain_unknown

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Repeat:
    """One window of a case (one seed), and what the test observed about it."""

    window: Window
    seed: int | None = None
    observed: dict[str, float | None] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    cooling: Cooling | None = None
    noted: set[str] = field(default_factory=set)

    def flags(self) -> tuple[str, ...]:
        """Name what speaks against this repeat, in alphabetical order."""
        warm = self.cooling is not None and not self.cooling.is_cool
        return tuple(sorted({*self.window.flags(), *self.noted, *([cooling.FLAG] if warm else [])}))

    def note(self, flag: str) -> None:
        """Note what is to be known of this repeat and makes no figure of it unusable.

        Raises:
            ValueError: there is no note of that name.
        """
        if flag not in NOTES:
            raise ValueError(explain_unknown("note", flag, NOTES))
        self.noted.add(flag)

    def observe(self, **values: float | None) -> None:
        """Record figures by metric, each in its metric's unit: `observe(dice=0.91)`. None is unknown.

        Raises:
            ValueError: there is no metric of that name; the nearest names are given.
        """
        for name in values:
            if name not in METRICS:
                raise ValueError(explain_unknown("metric", name, METRICS))
        self.observed.update(values)


@dataclass
class Case:
    """What one test measures; the value of the `energy` fixture.

    Calling it measures a function once, in any project:

        def test_sorting(energy):
            energy(sorted, numbers)

    A test with a story to tell uses windows, one per repeat:

        with energy.window(seed=0) as repeat:
            ...
            repeat.window.mark("epoch", epoch=1, batch_seconds=seconds / batches)
        repeat.observe(dice=0.91)

    A test that is run once for each of several repeats measures one of them: the `number`-th `of` so many.
    """

    name: str
    meters: Sequence[Meter]
    synchronize: Callable[[], None] | None = None
    description: dict[str, Any] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    status: str = "ok"
    problem: BaseException | None = None
    node: str | None = None
    started_seconds: float = field(default_factory=time.monotonic)
    failed_after_seconds: float = 0.0
    number: int = 1
    of: int = 1
    cooler: Cooler | None = field(default=None, repr=False)

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` once inside the meters and return what it returns."""
        with self.window():
            return function(*args, **kwargs)

    @contextmanager
    def window(self, seed: int | None = None) -> Iterator[Repeat]:
        """Open one metered window; a window that ends by an exception is not counted as a repeat."""
        around = self.cooler.around() if self.cooler is not None else nullcontext()
        with around as cooling, Window(self.meters, self.synchronize) as window:
            repeat = Repeat(window, seed, cooling=cooling)
            yield repeat
        self.repeats.append(repeat)

    @property
    def wanted(self) -> frozenset[str]:
        """What the meters want to be told of the work that is measured; empty where they can do without."""
        telling = (meter for meter in self.meters if isinstance(meter, Telling))
        return frozenset(name for meter in telling for name in meter.wants)

    def tell(self, **amounts: float) -> None:
        """Tell how much of what is wanted was done since this was last told: `tell(macs_fp32=2.1e9)`.

        Before the mark or the end of the window that it belongs to.
        """
        for meter in self.meters:
            if isinstance(meter, Telling):
                meter.tell(amounts)

    def begin(self) -> None:
        """Start the clock of the case itself, after what else the test had to do first."""
        self.started_seconds = time.monotonic()

    def describe(self, **fields: Any) -> None:
        """State what is measured: task, arch, technique, budget, recipe, keys (see `schema.json`)."""
        self.description.update(fields)

    def explain(self, **reasons: str) -> None:
        """Give the reason why a metric is unknown here: `explain(peak_gpu_mib="ran on the CPU")`."""
        self.unknown.update(reasons)

    def failed(self, problem: BaseException) -> None:
        """Record how the case ended, from the exception that ended it."""
        self.problem = problem
        self.status = status_of(problem)
        self.failed_after_seconds = time.monotonic() - self.started_seconds


def status_of(problem: BaseException) -> str:
    """Name the status that an exception stands for, without importing the library that raised it.

    >>> status_of(FloatingPointError("loss is nan")), status_of(MemoryError()), status_of(KeyboardInterrupt())
    ('diverged', 'oom', 'interrupted')
    """
    if isinstance(problem, FloatingPointError):
        return "diverged"
    # torch.OutOfMemoryError on a GPU; on a CPU torch raises a RuntimeError that only its text tells apart.
    text = str(problem)
    out_of_memory = "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError" or out_of_memory:
        return "oom"
    # pytest.exit and SystemExit end a session from outside the case, as Ctrl-C does.
    if isinstance(problem, KeyboardInterrupt | SystemExit) or type(problem).__name__ == "Exit":
        return "interrupted"
    return "error"
