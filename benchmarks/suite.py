"""What the user asked to be run: data, budget, device; and the recipe of each case under it."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import energy
import fixtures
import zoo
from benchmarks import work
from energy.plugin import Case, Device
from energy.records.keys import make_case_key, short_hash

# Whose versions can change a result; part of each record's software key.
LIBRARIES = ("torch", "monai", "numpy", "nibabel", "codecarbon")
# Validation Dice whose price in kJ is recorded as `kj_to_dice`.
TARGET_DICE = 0.8
# The technique that a budget may be made of: the study stopped early from the start.
STOPPING = "early_stop"
# What takes minutes within `quick` on few cores of a processor without bf16 instructions, where other cases
# take seconds, by the field that asks for it. On two cores with AVX2, `compile` took 237 s of 26 minutes.
LONG = {
    "compile": "compiling every pass",
    "teacher": "training a U-Net first",
    "int8_qat": "exporting the network, and training it in emulated 8-bit integers,",
}
FEW_CORES = 4
LONG_CASES = "--long-cases"


@dataclass(frozen=True)
class Budget:
    """How much training a case gets; every case of a run gets the same."""

    epochs: int
    image_size: int
    batch_size: int
    seeds: tuple[int, ...]
    early_stop: int | None = None


BUDGETS = {
    # For a laptop: 64 slices of the phantom in 4 mm pixels take U-Net about a minute on two cores.
    # Batches of 4 divide its 8 validation slices too, so that `compile` makes two graphs and not three.
    "quick": Budget(epochs=4, image_size=64, batch_size=4, seeds=(0,)),
    "standard": Budget(epochs=50, image_size=128, batch_size=16, seeds=(0, 1, 2)),
    # Mazurek et al. 2024: 1 mm pixels, batches of 128, at most 150 epochs, early stopping after 15.
    "paper": Budget(epochs=150, image_size=256, batch_size=128, seeds=(0, 1, 2), early_stop=15),
}


class Training(NamedTuple):
    """One training of a case: its seed, and its fold, from 1 on; None: there are no folds."""

    seed: int
    fold: int | None = None


@dataclass(frozen=True)
class Suite:
    """One run's choices.

    Args:
        budget: how much training a case gets.
        slices: the data; of folds those of the first, which stand for all where a case is only timed.
        device: torch's name of it.
        threads: of the CPU.
        folds: the data dealt to folds; None: one split.
    """

    budget: Budget
    slices: fixtures.Slices
    device: str
    threads: int
    folds: fixtures.Folds | None = None
    allow_power_limit: bool = False
    overlays: Path | None = None  # where predictions go; None: nowhere
    leaves_out_long: bool = False  # cases that would take most of the time that `quick` may take

    def recipe(self, arch: str, technique: str) -> zoo.Recipe:
        """Return the recipe of a case: the technique applied to the suite's settings.

        Where the technique needs to know the last epoch beforehand, the budget's early stopping is left out.
        """
        changes: dict[str, Any] = {
            "epochs": self.budget.epochs,
            "batch_size": self.budget.batch_size,
            "device": self.device,
            "threads": self.threads,
        }
        if self.budget.early_stop is not None and not zoo.recipe(arch, technique).fixed_length:
            changes["early_stop_patience"] = self.budget.early_stop
        return zoo.recipe(arch, technique, **changes)

    @property
    def trainings(self) -> tuple[Training, ...]:
        """The trainings of a case: every fold with the first seed, then with the next."""
        folds = (None,) if self.folds is None else range(1, self.folds.count + 1)
        return tuple(Training(seed, fold) for seed in self.budget.seeds for fold in folds)

    def choose_trainings(self, case: Case) -> tuple[Training, ...]:
        """Return what a case trains in a row: all, or the one of its repeat."""
        return self.trainings if case.of == 1 else (self.trainings[case.number - 1],)

    def open_slices(self, training: Training) -> fixtures.Slices:
        """Return the data of a training."""
        return self.slices if self.folds is None or training.fold is None else self.folds.open(training.fold)

    @property
    def data(self) -> fixtures.Slices | fixtures.Folds:
        """The whole data: what has the key and the summary that a record keeps."""
        return self.slices if self.folds is None else self.folds

    def unavailable(self, recipe: zoo.Recipe) -> str | None:
        """Say why a recipe cannot be run here, or may not, or None."""
        if reason := zoo.unavailable(recipe):
            return reason
        if recipe.power_limit_percent is not None and not self.allow_power_limit:
            return "changes a setting of the GPU; give --allow-power-limit to allow it, it is put back"
        return self._already_done(recipe.technique.split("+")) or self._too_long(recipe)

    def _too_long(self, recipe: zoo.Recipe) -> str | None:
        """Say what would take too long of a quick run on this machine, or None."""
        is_small = self.device == "cpu" and self.threads <= FEW_CORES and not zoo.has_native_bf16("cpu")
        if not (self.leaves_out_long and is_small):
            return None
        long = next((why for name, why in LONG.items() if getattr(recipe, name)), None)
        return long and (
            f"{long} takes minutes of --budget quick on {self.threads} core(s) of a processor without bf16 "
            f"instructions; {LONG_CASES} runs it all the same"
        )

    def _already_done(self, names: list[str]) -> str | None:
        """Say which technique the budget has anyhow, so that it would be measured against itself, or None."""
        if self.budget.early_stop is None or STOPPING not in names:
            return None
        rest = "+".join(name for name in names if name != STOPPING) or "baseline"
        return (
            f"{STOPPING}: the budget stops every case after {self.budget.early_stop} epochs without "
            f"progress, so this is {rest} under another name; choose another --budget"
        )

    def described_budget(self) -> dict[str, Any]:
        """Return the budget as it stands in a record."""
        same = {
            "epochs": self.budget.epochs,
            "seeds": list(self.budget.seeds),
            "batch_size": self.budget.batch_size,
            "image_size": self.budget.image_size,
        }
        if self.folds is not None:  # how many slices each trains on stands beside its fold
            return same | {"folds": self.folds.count, "slices": len(self.folds.slices)}
        parts = {"train": self.slices.train, "val": self.slices.val, "test": self.slices.test}
        return same | {f"{part}_slices": len(split) for part, split in parts.items()}

    def keys(self, hardware: str, recipe: zoo.Recipe) -> dict[str, str]:
        """Return the four keys that decide which records may be compared or stand in for each other."""
        defaults = {
            field.name: field.default
            for field in dataclasses.fields(recipe)
            if field.default is not dataclasses.MISSING
        }
        return {
            "hardware": hardware,
            "software": short_hash(software()),
            "data": self.data.key,
            "case": make_case_key(
                dataclasses.asdict(recipe),
                defaults,
                zoo.DEFAULTS_VERSION,
                self.described_budget(),
                TARGET_DICE,
            ),
        }


def software() -> dict[str, str]:
    """Name the versions that a result depends on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"joulebench": energy.__version__, "python": python, **versions}


def resolve_device(name: str) -> str:
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:1`; ValueError if it is not there."""
    import torch

    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return "cpu"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = 0 if name in ("auto", "cuda") else int(name.removeprefix("cuda:"))
    if index >= count:
        raise ValueError(
            f"--device {name}: torch sees {count} CUDA device(s) here; use --device cpu or install the driver"
        )
    return f"cuda:{index}"


def measured_device(device: str) -> Device:
    """Tell the meters what the suite runs on: on a CPU no GPU counts."""
    if device == "cpu":
        return Device(gpus=(), tells=work.TOLD)
    import torch

    # Without prefix: it may be a board's or a MIG instance's, and the meters try both.
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    synchronize: Callable[[], None] = functools.partial(torch.cuda.synchronize, device)
    return Device(gpus=(uuid,), synchronize=synchronize)
