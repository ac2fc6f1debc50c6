"""Look at a data set before anything is trained on it: `python -m energy data PATH`.

Every file is checked as the suite checks it; torch is imported for the time of an epoch only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fixtures
from energy.text import align_columns, list_few
from fixtures.split import ONE_OUT

PARTS = ("train", "val", "test")
MOST_NAMED = 6
TIMED_BATCHES = 3
USAGE_ERROR = 4


def read_labels(text: str | None) -> tuple[int, ...] | None:
    """Read `2` or `1,3`; ValueError for anything else."""
    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--label {text}: expected whole numbers above 0, with commas: --label 1,3")
    return tuple(sorted({int(part) for part in parts})) or None


def read_folds(text: str | None) -> int | str | None:
    """Read `5` or `volumes`; ValueError for anything else."""
    if text in (None, ONE_OUT):
        return text
    if not text.isdecimal() or int(text) < 2:
        raise ValueError(f"--folds {text}: expected a whole number, 2 or more, or {ONE_OUT}")
    return int(text)


def load_data(
    source: str,
    image_size: int,
    folds: int | str | None,
    *,
    skip_bad: bool,
    label: tuple[int, ...] | None,
) -> fixtures.Slices | fixtures.Folds:
    """Return the data, dealt to folds if there are any; DataError as of `fixtures.load`."""
    if folds is None:
        return fixtures.load(source, image_size, skip_bad=skip_bad, label=label)
    return fixtures.load_folds(source, image_size, folds, skip_bad=skip_bad, label=label)


def describe_briefly(slices: fixtures.Slices | fixtures.Folds) -> list[str]:
    """Return the three lines that the suite says before it trains: what, who is tested, how much brain."""
    found = slices.summary
    counts = [found[part] for part in _list_parts(found)]
    total = {name: sum(one[name] for one in counts) for name in ("slices", "volumes", "subjects")}
    brain = sum(one["slices_fed_with_brain"] for one in counts)
    fed, stored = (sum(one[name] for one in counts) / 100 for name in ("brain_mm2_fed", "brain_mm2"))
    return [
        f"data: {slices.source}, read as {found['reader']}: {total['slices']} slices of {total['volumes']} "
        f"volumes, {total['subjects']} subjects; {slices.image_size} px of {256 / slices.image_size:g} mm",
        f"subjects: {_tell_subjects(found)}",
        f"brain ({found['label']}) in {brain} slices: {fed:.4g} cm2, of {stored:.4g} in the files",
    ]


def _list_parts(found: Mapping[str, Any]) -> Sequence[str]:
    """Return the parts of a split; of folds, whose parts overlap, the whole."""
    return ("all",) if "by_fold" in found else PARTS


def _tell_subjects(found: Mapping[str, Any]) -> str:
    if "by_fold" in found:
        return f"{len(found['by_fold'])} folds, in which each of {found['all']['subjects']} is tested on once"
    people = ", ".join(f"{part} {found[part]['subjects']}" for part in PARTS)
    return f"{people}; tested on {list_few(found['test']['subject_names'], MOST_NAMED)}"


def describe(slices: fixtures.Slices | fixtures.Folds) -> Iterator[str]:
    """Yield what there is to know of a data set."""
    found = slices.summary
    yield from describe_briefly(slices)
    yield ""
    yield from _tabulate_parts(found)
    yield ""
    if "by_fold" in found:
        yield from _tabulate_folds(found["by_fold"])
    else:
        yield from (f"{part}: {', '.join(found[part]['subject_names'])}" for part in PARTS)
    yield ""
    for grid in found["grids"]:
        sizes = " x ".join(f"{size:g}" for size in grid["spacing_mm"])
        axis = f"slices across axis {grid['slice_axis']}"
        yield f"{grid['volumes']} volume(s) of {sizes} mm, {grid['orientation']}, {axis}"
    for note in found["notes"]:
        yield f"note: {note}"
    for skipped in found["skipped"]:
        yield f"skipped: {skipped['reason']}"
    if found["unpaired"]:
        names = list_few(found["unpaired"], MOST_NAMED)
        yield f"without a partner, or left out by the layout: {len(found['unpaired'])} ({names})"


def _tabulate_parts(found: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [("part", "subjects", "volumes", "slices", "with brain", "cm2", "cm2 fed")]
    for part in _list_parts(found):
        one = found[part]
        counts = (one["subjects"], one["volumes"], one["slices"], one["slices_fed_with_brain"])
        areas = (f"{one[name] / 100:.1f}" for name in ("brain_mm2", "brain_mm2_fed"))
        rows.append((part, *map(str, counts), *areas))
    return align_columns(rows, range(1, 7))


def _tabulate_folds(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    rows: list[Sequence[str]] = [("fold", "train", "val", "test", "tested on")]
    for number, fold in enumerate(folds, start=1):
        rows.append((str(number), *(str(fold["slices"][part]) for part in PARTS), ", ".join(fold["tested"])))
    return align_columns(rows, range(4))


def time_epoch(slices: fixtures.Slices, batch_size: int) -> float:
    """Return the seconds that an epoch of U-Net would take on this CPU, from a few timed steps."""
    import zoo

    recipe = zoo.recipe("unet", "baseline", batch_size=batch_size, device="cpu")
    return zoo.warm_up(recipe, slices, batches=TIMED_BATCHES) * -(-len(slices.train) // batch_size)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="joulebench data", description=__doc__)
    parser.add_argument("path", metavar="PATH", help="a folder of slices or volumes, or phantom")
    parser.add_argument("--image-size", type=int, default=64, metavar="N", help="pixels over 256 mm (64)")
    parser.add_argument("--folds", metavar="K|volumes", help="deal the subjects to folds, too")
    parser.add_argument("--label", metavar="N[,M]", help="labels of the masks that are brain")
    parser.add_argument("--skip-bad", action="store_true", help="go on without files that cannot be used")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw some slices with their masks")
    parser.add_argument("--no-timing", action="store_true", help="do not time steps of U-Net")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Look at a data set and say what is there."""
    args = parse(arguments)
    try:
        folds, label = read_folds(args.folds), read_labels(args.label)
        data = load_data(args.path, args.image_size, folds, skip_bad=args.skip_bad, label=label)
    except ValueError as mistake:  # DataError is one
        print(f"joulebench: {mistake}", file=sys.stderr)
        return USAGE_ERROR
    print("\n".join(describe(data)))
    slices = data.open(1) if isinstance(data, fixtures.Folds) else data
    if args.sheet is not None:
        from benchmarks.sheet import draw_sheet

        draw_sheet(slices, args.sheet)
        print(f"sheet: {args.sheet}")
    if not args.no_timing:
        print(f"an epoch of U-Net, batches of 4, would take about {time_epoch(slices, 4):.0f} s on this CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
