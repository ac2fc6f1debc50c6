"""Predict what a case will take: from a stored record of it, else from a few training steps timed here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import zoo
from benchmarks import reference
from benchmarks.suite import Suite, measured_device
from energy.measuring.figures import total_joules
from energy.measuring.hardware import read_hardware
from energy.measuring.window import Window
from energy.meters import Meter
from energy.plugin import Plan, open_meters_of, storage
from energy.records.fingerprint import name_hardware
from energy.records.storage.store import Store, StoredCase
from energy.records.volumes import list_seeds

TIMED_BATCHES = 3
# A validation batch goes forward only; a training batch goes forward and, at about twice the cost, backward.
VALIDATION_COST = 1 / 3
JOULES_PER_KJ = 1000.0


@dataclass(frozen=True)
class Planner:
    """Holds what predictions need: the suite, open meters, the stored records of this machine."""

    suite: Suite
    meters: Sequence[Meter]
    hardware: str
    store: Store

    @staticmethod
    def open(suite: Suite, config: pytest.Config) -> Planner:
        """Open the meters that the run would use."""
        meters = open_meters_of(config, measured_device(suite.device))
        return Planner(suite, meters, name_hardware(read_hardware(meters)), Store(storage(config)))

    def plans(self, cases: Sequence[tuple[str, str]]) -> Iterator[Plan]:
        """Predict the cases, and U-Net first where it would be trained for reference only."""
        unet = (reference.ARCH, reference.TECHNIQUE)
        if unet not in cases and self._stored(*unet) is None:
            yield self.plan(*unet)
        for case in cases:
            yield self.plan(*case)

    def plan(self, arch: str, technique: str) -> Plan:
        """Predict one case, all trainings of it."""
        name, recipe = f"{arch}-{technique}", self.suite.recipe(arch, technique)
        if reason := self.suite.unavailable(recipe):
            return Plan(name, 0.0, 0.0, f"will be skipped: {reason}")
        stored = self._stored(arch, technique)
        if stored is None:
            return self._time(name, recipe)
        seconds, kj = (self._sum(stored.record, metric) for metric in ("seconds", "total_kj"))
        return Plan(name, seconds, kj, f"as in {stored.run.reference}")

    def _stored(self, arch: str, technique: str) -> StoredCase | None:
        keys = self.suite.keys(self.hardware, self.suite.recipe(arch, technique))
        return self.store.latest_case(f"{arch}-{technique}", keys, seeds=self.suite.budget.seeds)

    def _sum(self, record: dict[str, Any], metric: str) -> float | None:
        """Add up a metric over the seeds that were asked for; the record may have more."""
        seeds = list_seeds(record)
        values = record["metrics"][metric]["values"]
        asked = [value for seed, value in zip(seeds, values, strict=True) if seed in self.suite.budget.seeds]
        return None if None in asked else sum(asked)

    def _time(self, name: str, recipe: zoo.Recipe) -> Plan:
        seconds, kj = self._timed(recipe)
        if recipe.teacher is not None:  # every seed trains its own first
            of_teacher = self._timed(zoo.make_teachers_recipe(recipe))
            seconds += of_teacher[0]
            kj = None if kj is None or of_teacher[1] is None else kj + of_teacher[1]
        return Plan(name, seconds, kj, f"from {TIMED_BATCHES} steps timed here")

    def _timed(self, recipe: zoo.Recipe) -> tuple[float, float | None]:
        """Return the seconds and kJ of all of one network's trainings, without those of its teacher."""
        with Window(self.meters, measured_device(self.suite.device).synchronize) as window:
            seconds_per_batch = zoo.warm_up(recipe, self.suite.slices, batches=TIMED_BATCHES)
        batches = math.ceil(len(self.suite.slices.train) / recipe.batch_size)
        batches += VALIDATION_COST * math.ceil(len(self.suite.slices.val) / recipe.batch_size)
        total = batches * recipe.epochs + recipe.lr_find_steps
        seconds = seconds_per_batch * total * len(self.suite.trainings)
        joules, _ = total_joules(window.energy)
        watts = None if joules is None else joules / window.energy.seconds
        return seconds, None if watts is None else seconds * watts / JOULES_PER_KJ
