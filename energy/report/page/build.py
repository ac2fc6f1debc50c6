"""From results to the report's file: read, group, draw, fill the page, write it whole."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from energy.records.storage import gather
from energy.records.storage.files import write_whole
from energy.records.storage.gather import FoundRun, NothingFoundError, Unusable
from energy.records.storage.runfile import StoreError
from energy.report import groups
from energy.report.charts import Drawn, _workers
from energy.report.page import drawing, page

EXTRA = ("altair", "jinja2", "vl_convert")
INSTALL = 'pip install "joulebench[report]"'
# The charts of fewer results are drawn before another process has started.
MANY_BYTES = 5_000_000


@dataclass(frozen=True)
class Report:
    """A page, and what it was made of."""

    html: str
    runs: tuple[FoundRun, ...]
    cases: int
    unusable: tuple[Unusable, ...]
    drawn: Drawn


@dataclass(frozen=True)
class Choices:
    """What goes into the page.

    Args:
        command: what a reader types to get this page again.
        overlays: folder of predictions to be shown; None: no image of anybody.
        interactive: whether charts answer to a pointer where scripts may run; adds 0.9 MB.
        version: of a page that is served and looks for a newer one of itself; None: a page by itself.
        processes: how many draw the charts of many results; more than one only for a program whose main
            module does nothing when it is imported, and not beside a run that is measured.
    """

    command: str
    overlays: Path | None = None
    interactive: bool = False
    version: str | None = None
    processes: int = 1


def missing() -> list[str]:
    """Name the packages of the extra `report` that are not installed."""
    from importlib.util import find_spec

    return [name for name in EXTRA if find_spec(name) is None]


@contextmanager
def without_collector() -> Iterator[None]:
    """Hold the garbage collector: all that is read stays until the page is there.

    Looking through millions of living objects again and again takes a quarter of the time of a large report.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@without_collector()
def report(sources: Sequence[str | Path], choices: Choices) -> Report:
    """Read results and return the page.

    Args:
        sources: what `gather.list_files` takes.
        choices: what goes into it.

    Raises:
        StoreError: there is nothing to show; says what to do.
    """
    several = choices.processes > 1 and _bytes(sources) >= MANY_BYTES
    with _workers.together(choices.processes) if several else nullcontext(_workers.alone) as each:
        script = each(page.bundle, ["interactive.js"] if choices.interactive else [])
        found, unusable = gather.read_runs(sources)
        grouped = groups.of_runs(found)
        if not grouped:
            raise _nothing(sources, unusable)
        begun = drawing.begin(
            grouped, found, overlays=choices.overlays, interactive=choices.interactive, each=each
        )
        contents = page.contents(grouped, found, unusable)  # while others draw
        drawings = drawing.as_drawings(begun)
        live = page.Live(next(script), drawing.specs(begun)) if choices.interactive else None
    html = page.fill_page(contents, drawings, command=choices.command, live=live, version=choices.version)
    cases = sum(len(group.entries) for group in grouped)
    return Report(html, tuple(found), cases, tuple(unusable), begun.drawn)


def _bytes(sources: Sequence[str | Path]) -> int:
    return sum(path.stat().st_size for path in gather.list_files(sources) if path.exists())


def waiting(sources: Sequence[str | Path], version: str) -> str:
    """Return a page that says that there is nothing yet, and looks for a newer one of itself."""
    return page.waiting(", ".join(map(str, sources)), version)


def write(html: str, path: Path) -> None:
    """Write a page whole or not at all; OSError if it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, html)


def _nothing(sources: Sequence[str | Path], unusable: Sequence[Unusable]) -> StoreError:
    where = ", ".join(map(str, sources))
    if unusable:
        reasons = "; ".join(file.reason for file in unusable[:5])
        return StoreError(f"nothing to report in {where}: {reasons}")
    return NothingFoundError(f"no record of energy in {where}; run a benchmark first (pytest benchmarks)")
