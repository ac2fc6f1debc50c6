"""Many charts as SVG on several cores: vl-convert draws on one, and lets no other thread run meanwhile."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress

from energy.report.charts import _render
from energy.report.charts._chart import Chart

Draw = Callable[[Sequence[Chart]], Iterable[str]]


def alone(drawn: Sequence[Chart]) -> Iterable[str]:
    """Return charts as SVG for the page, drawn in this process, one after another."""
    return map(_render.svg, drawn)


@contextmanager
def together(processes: int) -> Iterator[Draw]:
    """Start processes that draw charts, and give what has them drawn in order; they end with the context.

    Each needs about a second and 150 MB before it draws, and gets ready while the caller goes on. Python
    starts them by importing the main module again, which must therefore do nothing when it is imported.
    """
    # Spawned, since a fork of a process whose threads hold locks may never get them back.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        with suppress(BrokenProcessPool):  # `draw` will be told the same
            for _ in range(processes):
                pool.submit(_get_ready)

        def draw(drawn: Sequence[Chart]) -> Iterable[str]:
            try:
                return list(pool.map(_render.svg, drawn))
            except BrokenProcessPool:  # one was killed, perhaps for want of memory: one by one needs less
                return alone(drawn)

        yield draw


def _get_ready() -> None:
    """Start vl-convert, whose first chart takes half a second longer than the next."""
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "text"}, vl_version=_render.VL_VERSION)
