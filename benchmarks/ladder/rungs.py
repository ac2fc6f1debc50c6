"""How a rung of the ladder is measured: as a case of its own, unless this run has its record already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zoo
from benchmarks import reference, training
from benchmarks.ladder.protocol import Result
from benchmarks.source import digest_source
from benchmarks.suite import Suite
from energy.plugin import Live, Run
from energy.records.validity import describe_collapse


@dataclass(frozen=True)
class Rungs:
    """Measures recipes in one run."""

    suite: Suite
    run: Run
    live: Live
    unet: reference.Reference

    def measure(self, recipe: zoo.Recipe) -> Result:
        """Train and test every seed, with a record like any case's; a failure is a result, too."""
        if reason := self.suite.unavailable(recipe):
            return Result(skipped=reason)
        return read_result(self._found(recipe) or self._trained(recipe))

    def _found(self, recipe: zoo.Recipe) -> dict[str, Any] | None:
        """Return the record that this run, or the one it goes on with, has of the recipe."""
        name, keys = _name(recipe), self.suite.keys(self.run.fingerprint, recipe)
        for record in self.run.recorder.records:
            if record["case"] == name and record["keys"] == keys:
                return record
        return self.run.recorder.reuse(name, keys, digest_source(recipe), self.suite.budget.seeds)

    def _trained(self, recipe: zoo.Recipe) -> dict[str, Any]:
        keys = self.suite.keys(self.run.fingerprint, recipe)
        try:
            with self.run.extra_case(_name(recipe)) as case:
                training.run(case, recipe, self.suite, keys, self.live)
                reference.compare(case, self.unet)
        # Its record says what happened; the next rung can still be tried.
        except Exception as problem:
            self.live.say(f"{_name(recipe)}: {type(problem).__name__}: {problem}")
        return self.run.recorder.records[-1]


def read_result(record: Mapping[str, Any]) -> Result:
    """Return what a record says of Dice and energy."""
    if record["status"] != "ok":
        error = record["error"]
        return Result(failed=f"{record['status']}: {error['type']}: {error['message']}")
    if collapse := describe_collapse(record):  # its kilojoules bought nothing, so they rank nothing
        return Result(failed=collapse)
    values = {name: tuple(record["metrics"][name]["values"]) for name in ("dice", "total_kj", "dice_per_kj")}
    told = [
        {reason.partition(":")[0]: reason for reason in facts["applied"]["without_effect"]}
        for facts in record["setup"]
    ]
    # What acted with one seed, such as a rate that fell, had its effect.
    idle = [reason for choice, reason in told[0].items() if all(choice in seed for seed in told)]
    return Result(**values, without_effect=tuple(idle))


def _name(recipe: zoo.Recipe) -> str:
    return f"{recipe.architecture}-{recipe.technique}"
