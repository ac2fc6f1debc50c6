"""One case over many runs: its level, where that changed, and what changed with it."""

from energy.analysis.history.histories import build_histories
from energy.analysis.history.series import ChangePoint, Cut, Excluded, Level, Point, Series

__all__ = ["ChangePoint", "Cut", "Excluded", "Level", "Point", "Series", "build_histories"]
