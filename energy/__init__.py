"""Measure joules: open meters, read them twice, subtract.

    meters = energy.open_meters("auto")
    before = energy.read(meters)
    ...
    spent = energy.read(meters) - before     # spent.joules(), spent.band(), spent.kind, spent.flags()
    energy.close(meters)

Importing this opens nothing and imports no vendor's library.
"""

from energy.meters import Meters, close, diagnose, open_meters, read
from energy.meters._meter import Diagnosis, Meter, MeterUnavailable
from energy.reading import Count, DomainEnergy, Energy, Fault, Reading

__version__ = "0.1.0"

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
    "open_meters",
    "read",
]
