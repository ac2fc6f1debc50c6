"""The accuracy audit as Markdown."""

from tests.audit._loads import LOADS, LOCKED, WINDOWS
from tests.simulated.sensors import PRESETS

ALLOWED_ERROR = 0.01 + 0.05  # 1 %, and the boards' own gain
LONG_SECONDS = 10.0
WAYS = {
    "counter": "By the energy counter (the figure of every board that has one)",
    "power": "By sampled power (the second reading; the figure of a board without a counter)",
}

HEAD = """# How far the NVML meter is from the truth

Written by `python -m tests.audit.accuracy --write`; a test compares this page with what the script finds.

Six boards are simulated after Yang et al., Part-time Power Measurements (SC'24, arXiv 2312.02741), table 2:
how often their sensors have a new value, and over how long each value is a mean. Whether the energy counter
is made from these part-time samples is not documented; here it is, which is the worse case. Of each board
{draws} were drawn: gain within 5 % of 1, phase of the sensor, time of looking. The truth is a closed form.
Simulated sensors prove what the meter makes of what a sensor shows, not how a sensor behaves.

Loads lie between 13 % (idle) and 85 % of the board's power limit. *steps*: one jump somewhere in each window.
*work*: idle, work, idle, with both jumps within 0.1 s of the window's ends, on either side of them.
*training*: batches of 0.23 s with dips of 18 ms, and a validation every 7 s. Both squares: 35 and 85 %.

A counter that moves every 100 ms does not know its last step, and a band cannot know of a jump in it: the
windows outside their bands are short ones with such a jump. A sensor that looks for a quarter of the time
misses edges of the 1.3 s square; 13 of its own periods are nearly one of the square's, so that it may miss
them the same way for seconds. That is where 10 s can be wrong by more than 1 % and the gain. The stated band
holds all of those, and "sampling stated" counts where more than {share:.0f} % was stated to be at risk.
"""

LEGEND = """
Each cell below says: the worst error of {draws} windows in percent of the truth / how many times the truth
was outside the stated band / how many times a flag spoke against the figure.
"""

LOCKED_HEAD = """
## In step with the sensor

A square whose period is the sensor's is seen high for ever, or low for ever, by a sensor that does not look
all the time. No meter that asks this sensor can know, so these cells are in none of the counts above. Only
another instrument (a wall plug) tells.
"""


def table(cells, locked):
    """Return the whole page; `draws` are counted from the cells."""
    draws = len(cells) // (len(WAYS) * len(PRESETS) * len(LOADS) * len(WINDOWS))
    parts = [HEAD.format(draws=draws, share=100 * ALLOWED_ERROR), _totals(cells), LEGEND.format(draws=draws)]
    for way, title in WAYS.items():
        parts += [f"\n## {title}\n", _rows([cell for cell in cells if cell.way == way], LOADS)]
    return "\n".join(
        [*parts, LOCKED_HEAD, _rows([cell for cell in locked if cell.way == "counter"], LOCKED), ""]
    )


def beyond(cells):
    """Return the long windows whose error is more than 1 % and the gain."""
    return [
        cell
        for cell in cells
        if cell.seconds >= LONG_SECONDS and (cell.error is None or cell.error > ALLOWED_ERROR)
    ]


def _totals(cells):
    lines = [
        "| board | read by | windows | truth in band | of those outside, flagged "
        "| windows of 10 s or more | beyond 1 % + gain | of those, flagged | sampling stated |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for way in WAYS:
        for preset in (*PRESETS, None):
            chosen = [cell for cell in cells if cell.way == way and preset in (None, cell.preset)]
            lines.append(_total(preset or "**all**", way, chosen))
    return "\n".join(lines)


def _total(name, way, cells):
    missed = [cell for cell in cells if cell.missed]
    long = [cell for cell in cells if cell.seconds >= LONG_SECONDS]
    wrong = beyond(cells)
    return (
        f"| {name} | {way} | {len(cells)} | {100 * (1 - len(missed) / len(cells)):.2f} % "
        f"| {sum(bool(cell.flags) for cell in missed)} of {len(missed)} | {len(long)} | {len(wrong)} "
        f"| {sum(bool(cell.flags) for cell in wrong)} of {len(wrong)} "
        f"| {sum(cell.sampled > ALLOWED_ERROR for cell in wrong)} of {len(wrong)} |"
    )


def _rows(cells, loads):
    found = {}
    for cell in cells:
        found.setdefault((cell.preset, cell.load, cell.seconds), []).append(cell)
    lines = [
        "| board | load | " + " | ".join(_seconds(window) for window in WINDOWS) + " |",
        "|---|---|" + "--:|" * len(WINDOWS),
    ]
    for preset in PRESETS:
        for load in loads:
            row = [_entry(found[preset, load, window]) for window in WINDOWS]
            lines.append(f"| {preset} | {load} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _entry(cells):
    errors = [cell.error for cell in cells]
    worst = "unknown" if None in errors else f"{100 * max(errors):.1f}"
    return f"{worst} / {sum(cell.missed for cell in cells)} / {sum(bool(cell.flags) for cell in cells)}"


def _seconds(seconds):
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"
