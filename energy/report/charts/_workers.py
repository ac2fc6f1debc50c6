"""Work on many charts on several cores: vl-convert uses one, and lets no other thread run meanwhile."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from energy.report.charts import _render

Item = TypeVar("Item")
Result = TypeVar("Result")


class Each(Protocol):
    """Do some work for each item, and give the results in order."""

    def __call__(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]: ...


def alone(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Work in this process, one after another, whenever the next result is asked for."""
    return map(work, items)


@contextmanager
def together(processes: int) -> Iterator[Each]:
    """Start processes, and give what has them work, beginning at once; they end with the context.

    Each needs about a second and 150 MB before it draws, and gets ready while the caller goes on. Python
    starts them by importing the main module again, which must therefore do nothing when it is imported.
    """
    # Spawned, since a fork of a process whose threads hold locks may never get them back.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        with suppress(BrokenProcessPool):  # `each` will be told the same
            for _ in range(processes):
                pool.submit(_get_ready)

        def each(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
            begun: list[Future[Result]] = []
            with suppress(BrokenProcessPool):
                for item in items:
                    begun.append(pool.submit(work, item))
            return _results(work, items, begun)

        yield each


def _results(
    work: Callable[[Item], Result], items: Sequence[Item], begun: Sequence[Future[Result]]
) -> Iterator[Result]:
    """Yield the results of work in order; do what remains here if a process was killed.

    Perhaps it was for want of memory: one by one needs less.
    """
    done = 0
    with suppress(BrokenProcessPool):
        for future in begun:
            yield future.result()
            done += 1
    yield from alone(work, items[done:])


def _get_ready() -> None:
    """Start vl-convert, whose first chart takes half a second longer than the next."""
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "text"}, vl_version=_render.VL_VERSION)
