"""The published sweeps of RAPL against CPU load, and how the CPU model's constants come from them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

JOULES_PER_KWH = 3.6e6
FORMS = {  # watts / TDP of a load from 0 to 1
    "line": lambda p, load: p[0] + p[1] * load,
    "power": lambda p, load: p[0] + p[1] * load ** p[2],
    "saturating": lambda p, load: p[0] + p[1] * load / (load + p[2]),
}
START = {"line": [0.15, 0.5], "power": [0.15, 0.5, 0.7], "saturating": [0.15, 0.8, 1.0]}


@dataclass(frozen=True)
class Point:
    machine: str
    mode: str
    tdp_watts: float
    threads: int
    load: float
    joules: float
    seconds: float

    @property
    def watts(self):
        return self.joules / self.seconds

    @property
    def share(self):
        return self.watts / self.tdp_watts


def points():
    lines = Path(__file__).with_suffix(".csv").read_text().splitlines()
    return [
        Point(
            row["machine"],
            row["mode"],
            float(row["tdp_watts"]),
            int(row["threads"]),
            float(row["load_pct"]) / 100,
            float(row["rapl_kwh"]) * JOULES_PER_KWH,
            float(row["duration_s"]),
        )
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    ]


def machines():
    return sorted({point.machine for point in points()})


def fit(form, chosen):
    """Fit in logarithms, since the model is judged by factors; every machine has the same weight."""
    load = np.array([point.load for point in chosen])
    share = np.array([point.share for point in chosen])
    names = [point.machine for point in chosen]
    weight = np.array([names.count(name) ** -0.5 for name in names])

    def residuals(p):
        return weight * np.log(np.maximum(FORMS[form](p, load), 1e-3) / share)

    return least_squares(residuals, START[form], bounds=(0, 10)).x


def leave_one_out(form):
    """Return model / RAPL of every point, predicted from the other machines."""
    ratios = []
    for machine in machines():
        p = fit(form, [point for point in points() if point.machine != machine])
        left = [point for point in points() if point.machine == machine]
        ratios += [FORMS[form](p, point.load) / point.share for point in left]
    return np.array(ratios)


def shape():
    """Return RAPL over the straight line between each machine's own idle and full power, of every point."""
    ratios = []
    for machine in machines():
        own = [point for point in points() if point.machine == machine]
        idle = np.mean([point.watts for point in own if point.load <= 0.03])
        full = np.mean([point.watts for point in own if point.load >= 0.99])
        ratios += [point.watts / (idle + (full - idle) * point.load) for point in own]
    return np.array(ratios)


def codecarbon():
    """Return CodeCarbon's formula / RAPL of every point."""
    return np.array([(0.1 + 0.9 * point.load**3) / point.share for point in points()])


def scatter(ratios):
    """Return the root mean square of the logarithms."""
    return float(np.sqrt(np.mean(np.log(ratios) ** 2)))
