"""What a meter says, what two of its readings mean, and how far that may be from the truth."""

from energy.fault import Fault
from energy.reading.count import BOUNDARIES, MACHINE, PROCESS, Count
from energy.reading.reading import Reading
from energy.reading.spent import DomainEnergy, Energy

__all__ = ["BOUNDARIES", "MACHINE", "PROCESS", "Count", "DomainEnergy", "Energy", "Fault", "Reading"]
