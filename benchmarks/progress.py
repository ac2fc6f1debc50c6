"""The words of the live line."""

from __future__ import annotations

import zoo
from energy.measuring.figures import total_joules
from energy.reading import Energy

JOULES_PER_KJ = 1000.0


def line(case: str, seed: int | None, epoch: zoo.Epoch, epochs: int, spent: Energy, so_far: Energy) -> str:
    """Say where a training is: epoch, loss, validation Dice, watts, kJ so far, time left at most."""
    left = epoch.seconds * (epochs - epoch.number)
    return " · ".join(
        [
            f"{case} seed {seed}",
            f"epoch {epoch.number}/{epochs}",
            f"loss {epoch.loss:.3f}",
            f"val Dice {epoch.val_dice:.3f}",
            _watts(spent),
            _kj(so_far),
            f"{int(left) // 60}:{int(left) % 60:02d} left",
        ]
    )


def _watts(spent: Energy) -> str:
    joules, _ = total_joules(spent)
    return "– W" if joules is None or spent.seconds == 0 else f"{joules / spent.seconds:.1f} W"


def _kj(so_far: Energy) -> str:
    joules, _ = total_joules(so_far)
    return "– kJ" if joules is None else f"{joules / JOULES_PER_KJ:.3g} kJ"
