"""Measure joules: open meters, read them twice, subtract.

A reading is what all meters have counted so far; a window is one reading subtracted from a later one. So no
window has to be begun or ended, and windows may nest and overlap as they like. Leave out the name, and all
meters that work here are opened (`python -m energy doctor` says which). This one is a model of the CPU:

>>> import energy
>>> with energy.open_meters("cpu_model") as meters:
...     start = energy.read(meters)
...     numbers = sorted(range(200_000), key=lambda number: -number)
...     middle = energy.read(meters)
...     total = sum(numbers)
...     end = energy.read(meters)
>>> whole, sorting, adding = end - start, middle - start, end - middle
>>> whole.kind, whole.joules() > 0, whole.seconds > 0
('modelled', True, True)

Windows that touch add up, and what lies inside another is not more than it:

>>> abs(whole.joules() - sorting.joules() - adding.joules()) < 1e-6
True
>>> sorting.joules("cpu") <= whole.joules("cpu")
True

Each figure says where it comes from, how much of the window it covers and where the truth lies (in joules):

>>> sorted(part.source for part in whole.headline())
['cpu_seconds_model']
>>> low, high = whole.band()
>>> low < whole.joules() < high
True

What nobody measured is None and not 0:

>>> print(whole.joules("gpu"))
None

A meter that was asked for and does not work says why, and what to do about it:

>>> try:
...     energy.open_meters("outside")
... except energy.MeterUnavailable as problem:
...     print(problem.reason)
No outside meter was named.

Names and units (everything is in SI; kJ are for tables):

- `open_meters(names="auto") -> Meters`, `read(meters) -> Reading`, `close(meters)`: the instrument; leaving
  the `with` block closes, too. `Meter` is what each of the `Meters` is.
- `settle(meters, readings)`: the readings again with what only arrived after them: an outside meter's log
  (`open_meters(outside=SOURCE)`), and faults that were seen later.
- `diagnose()`: a `Diagnosis` of each meter, whether it works here. `MeterUnavailable`: why one does not.
- `Reading`: `seconds` on the monotonic clock, one `Count` of `joules` per source and device, and faults.
- `Energy`, the difference of two readings: `seconds`, `joules()` and `joules("gpu")`, `band()` in joules,
  `kind` ("measured", "modelled" or "mixed"), `flags()` that speak against it, and one `DomainEnergy` each.
- `Fault`: what went wrong, when (`at_seconds`), how long (`seconds`), and how many joules may be missing
  because of it (`joules_at_stake`).
- `frame("results")`: the stored records as a pandas table, one row per repeat; the units are in the
  columns' names or in `energy.records.metrics.METRICS`.

In a test, the `energy` fixture does all this: `energy(sorted, numbers)`; see `energy.measuring.case.Case`.

Importing this opens nothing and imports no vendor's library.
"""

from energy._version import __version__ as __version__
from energy.meters import (
    Diagnosis,
    Meter,
    Meters,
    MeterUnavailable,
    close,
    diagnose,
    open_meters,
    read,
    settle,
)
from energy.reading import Count, DomainEnergy, Energy, Fault, Reading
from energy.records.storage.frame import frame

__all__ = [
    "Count",
    "Diagnosis",
    "DomainEnergy",
    "Energy",
    "Fault",
    "Meter",
    "MeterUnavailable",
    "Meters",
    "Reading",
    "close",
    "diagnose",
    "frame",
    "open_meters",
    "read",
    "settle",
]
