"""Many charts as SVG on several cores: vl-convert draws on one, and lets no other thread run meanwhile."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial

from energy import machine
from energy.report.charts import _render
from energy.report.charts._chart import Chart

# More of them help little: most of the time of a chart is in the largest ones.
MOST = 4

Draw = Callable[[Sequence[Chart]], Iterable[str]]


def alone(drawn: Sequence[Chart]) -> Iterable[str]:
    """Return charts as SVG for the page, drawn in this process, one after another."""
    return map(_render.svg, drawn)


@contextmanager
def together(processes: int | None = None) -> Iterator[Draw]:
    """Start processes that draw charts, and give what has them drawn in order; they end with the context.

    Each needs about a second and 150 MB before it draws, and gets ready while the caller goes on.

    Args:
        processes: how many; None: as many as this process may use cores, four at most.
    """
    count = processes or min(MOST, machine.physical_cores())
    # Spawned, since a fork of a process whose threads hold locks may never get them back.
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        for _ in range(count):
            pool.submit(_get_ready)
        yield partial(pool.map, _render.svg)


def _get_ready() -> None:
    """Start vl-convert, whose first chart takes half a second longer than the next."""
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "text"}, vl_version=_render.VL_VERSION)
