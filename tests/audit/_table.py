"""The accuracy audit as Markdown: three questions, a table each."""

import statistics

from tests.audit._loads import BEATS, OTHERS, TRAININGS, WINDOWS
from tests.simulated.sensors import PRESETS

LONG = 60.0
SHOWN = ("V100", "A100", "RTX 3090")  # a sensor that is fast, one that sees a quarter, one that sees all
LOCKS = ("1 step", "2.5 steps")  # exact: the values show nothing of them
PLAIN_BEATS = tuple(name for name in BEATS if name not in LOCKS)
SHORT, LONGER = WINDOWS[:3], WINDOWS[3:]
GROUPS = {
    "training": (tuple(TRAININGS), WINDOWS),
    "beats, 1 to 5 s": (PLAIN_BEATS, SHORT),
    "beats, 10 to 60 s": (PLAIN_BEATS, LONGER),
    "exact locks": (LOCKS, WINDOWS),
    "constant, steps, ramp, sine": (("constant", "steps", "ramp", "sine"), WINDOWS),
    "random levels": (tuple(name for name in OTHERS if name.startswith("random")), WINDOWS),
}

HEAD = """# How far the NVML meter is from the truth

Written by `python -m tests.audit.accuracy --write`; a test compares this page with what the script finds.

Six boards are simulated after Yang et al., Part-time Power Measurements (SC'24, arXiv 2312.02741), table 2:
how often their sensors have a new value, and which part of the time they look at. Whether the energy counter
is made from these part-time samples is not documented; here it is, which is the worse case. The GH200 is
billed by its GPU's power, since its counter is of the whole module. Of each board {draws} were drawn, with a
gain within 5 % of 1. The truth is a closed form. *Calm*: batches of equal length (in training 5 % more or
less), a thread that wakes on time. *Rough*: batches differ by 5 to 10 %, the sensor's values come up to 3 ms
late, polls up to 30 ms, one in twenty up to 150 ms more.

Simulated sensors prove what the meter makes of what a sensor shows, not how a sensor behaves.

## 1. How wrong is a minute of training?

Batches of 0.08, 0.25 and 1.1 s with dips of 18 ms between them and a validation every 7 s; {minutes} windows
of 60 s per board. *True*: the worst error of them. *Stated*: the median of what the record says, for 95 %
(sampling and edges; whole: half of the band). The gain is left out of the first columns and is in the whole.
Stated is at most three times the true error, or half a percent, a tenth of the gain: the V100 and the RTX
3090 miss next to nothing. *Not told*: while nobody says how long a batch takes, slow changes may be beats.

"""
LEGEND_2 = """
## 2. Does the band hold the truth?

Windows of 1 to 60 s on all boards. *Told*: the meter knows the time of a batch, as in this suite. Each cell:
windows whose band holds the truth / windows outside it / those of them without a flag. Beats are squares of
650 and 150 W (of 700) of 1.003, 0.501 and 0.334 steps of the sensor; exact locks last 1 and 2.5 steps. For
seconds a beat looks like rest. Of an exact lock that nobody has told the values show nothing at all: only the
batch time, or another instrument, tells.

"""
LEGEND_3 = """
## 3. How long must a window be?

The median of half the band, in percent of the figure, calm, batch times told. 5 % of it are the gain.

"""


def page(cells):
    """Return the whole page; `cells` are by condition."""
    some = cells["calm"]
    minutes = sum(
        cell.load in TRAININGS and cell.seconds == LONG and not cell.told and cell.preset == "A100"
        for cell in some
    )
    head = HEAD.format(draws=minutes // len(TRAININGS), minutes=minutes)
    return "".join([head, _minutes(cells), LEGEND_2, _bands(cells), LEGEND_3, _lengths(some)])


def of_a_minute(cells, preset, told):
    """Return the training windows of a minute on one board."""
    return [
        cell
        for cell in cells
        if (cell.preset, cell.seconds, cell.told) == (preset, LONG, told) and cell.load in TRAININGS
    ]


def true_and_stated(cells):
    """Return the worst error of some windows, and the median of what they state, as shares."""
    return max(cell.error for cell in cells), statistics.median(cell.stated for cell in cells)


def whole(cells):
    """Return the same of the whole error, with the gain."""
    return max(cell.whole_error for cell in cells), statistics.median(cell.half_band for cell in cells)


def _minutes(cells):
    lines = [
        "| board | calm: true | stated | rough: true | stated | not told | whole: true | stated | invalid |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for preset in PRESETS:
        calm, rough = (of_a_minute(cells[name], preset, told=True) for name in ("calm", "rough"))
        untold = true_and_stated(of_a_minute(cells["calm"], preset, told=False))[1]
        figures = [*true_and_stated(calm), *true_and_stated(rough), untold, *whole(calm + rough)]
        invalid = sum(bool(cell.invalid) for cell in calm + rough)
        lines.append(
            f"| {preset} | " + " | ".join(f"{100 * figure:.2f} %" for figure in figures) + f" | {invalid} |"
        )
    return "\n".join(lines) + "\n"


def _bands(cells):
    lines = [
        "| load | calm, told | calm, not told | rough, told | rough, not told |",
        "|---|--:|--:|--:|--:|",
    ]
    for group, (loads, windows) in GROUPS.items():
        row = [
            _held(
                [
                    cell
                    for cell in some
                    if cell.load in loads and cell.seconds in windows and cell.told == told
                ]
            )
            for some in cells.values()
            for told in (True, False)
        ]
        lines.append(f"| {group} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _held(cells):
    missed = [cell for cell in cells if cell.missed]
    silent = [cell for cell in missed if not (cell.notes or cell.invalid)]
    return f"{held(cells):.2%} / {len(missed)} / {len(silent)}" if cells else "–"


def held(cells):
    """Return the share of windows whose band holds the truth."""
    return sum(not cell.missed for cell in cells) / len(cells)


def _lengths(cells):
    shown = [("constant", False), ("training", True), ("random, 0.4 s", False), ("ramp", False)]
    lines = [
        "| board | load | " + " | ".join(f"{window:.0f} s" for window in WINDOWS) + " |",
        "|---|---|" + "--:|" * len(WINDOWS),
    ]
    for preset in SHOWN:
        for load, told in shown:
            row = [
                statistics.median(
                    cell.half_band
                    for cell in cells
                    if (cell.preset, cell.load, cell.told, cell.seconds) == (preset, load, told, window)
                )
                for window in WINDOWS
            ]
            lines.append(f"| {preset} | {load} | " + " | ".join(f"{100 * half:.1f}" for half in row) + " |")
    return "\n".join(lines) + "\n"
