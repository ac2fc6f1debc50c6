"""Results with everything that a chart can show, made by hand: machines that measure, model and mix."""

import numpy as np

from energy.analysis.history.series import ChangePoint, Cut, Level, Series
from energy.analysis.history.series import Point as Past
from energy.records.metrics import summarise_metric
from energy.records.storage.gather import FoundRun
from energy.report import groups, model
from energy.report.model import Figure, Model, Panel, Point
from tests.simulated.records import domain, failed, modelled, record, run

MEASURED, MODELLED, MIXED = "h200-700w-3f2a", "epyc-2c-cpu-91bc", "l4-72w-77aa"
HARDWARE = {
    MEASURED: {"gpus": [{"name": "NVIDIA H200", "power_limit_watts": 700.0}], "cpu": "AMD EPYC", "cores": 96},
    MIXED: {"gpus": [{"name": "NVIDIA L4", "power_limit_watts": 72.0}], "cpu": "AMD EPYC", "cores": 96},
    MODELLED: {"gpus": [], "cpu": "AMD EPYC", "cores": 2},
}


def parts(kj, kind):
    """Domains of a total of some kJ by repeat: seven tenths GPU, the rest CPU."""
    gpu = domain([700 * value for value in kj], domain="gpu", source="nvml_counter")
    cpu = [300 * value for value in kj]
    if kind == "measured":
        return [gpu, domain(cpu)]
    return [gpu, modelled(cpu)] if kind == "mixed" else [modelled([1000 * value for value in kj])]


def trained(case, dice, kj, kind="measured", **changes):
    """A training with all that charts want; dice and kj one per seed."""
    seconds = [10.0 * value for value in kj]
    figures = {
        "dice": dice,
        "total_kj": kj,
        "kj_per_epoch": [value / 4 for value in kj],
        "dice_loss_vs_unet_pct": [100 * (0.9 - value) / 0.9 for value in dice],
        "seconds": seconds,
        "mean_watts": [1000 * a / b for a, b in zip(kj, seconds, strict=True)],
        "idle_kj": [0.25 * value for value in kj],
        "setup_kj": [0.5] * len(kj),
        "peak_rss_mib": [100.0 * value for value in dice],
    }
    whole = {
        "metrics": {name: summarise_metric(name, values) for name, values in figures.items()},
        "epochs": [
            [
                {"epoch": number, "joules": 250.0 * total, "seconds": 2.5 * total, "val_dice": 0.2 * number}
                for number in (1, 2, 3, 4)
            ]
            for total in kj
        ],
        "domains": parts(kj, kind),
        "reference": None,
    }
    made = record(case, **(whole | changes))
    made["budget"] = made["budget"] | {"seeds": list(range(len(kj)))}
    return made


def invalid(case, dice, kj, kind="measured"):
    return trained(
        case, dice, kj, kind, validity={"ok": False, "invalid": ["throttled", "shared_gpu"], "notes": []}
    )


def ladder():
    """The record of a ladder of four rungs: one kept, one dropped, one that cannot be tried."""
    told = [
        ("baseline", "start", 0.05),
        ("bf16", "kept", 0.08),
        ("cache", "dropped", 0.07),
        ("fp8", "skipped", None),
    ]
    rungs = [
        {"tried": tried, "verdict": verdict, "why": "", "dice": 0.8, "total_kj": 10.0, "dice_per_kj": per_kj}
        for tried, verdict, per_kj in told
    ]
    case = record("enet-ladder", task="ladder", epochs=[], setup=[{"ladder": {"rungs": rungs}}])
    case["budget"] = case["budget"] | {"seeds": []}
    return case


def inferred(case, dice, watts, kind="measured"):
    figures = {"dice": [dice], "seconds": [10.0], "mean_watts": [watts], "temp_rise_c": [watts / 10]}
    metrics = {name: summarise_metric(name, values) for name, values in figures.items()}
    return record(
        case, task="inference", metrics=metrics, epochs=[], domains=parts([1.0], kind), reference=None
    )


def cases(kind="measured", factor=1.0):
    """The cases of one machine."""

    def kj(*values):
        return [factor * value for value in values]

    return [
        trained("unet-baseline", [0.90, 0.91], kj(20.0, 21.0), kind),
        trained("enet-baseline", [0.80, 0.82], kj(2.0, 2.1), kind),
        trained("enet-bf16", [0.85, 0.86], kj(3.0, 3.3), kind),
        trained("segnet-baseline", [0.70, 0.72], kj(9.0, 9.5), kind),
        invalid("sqnet-baseline", [0.99, 0.99], kj(0.5, 0.5), kind),
        failed("cgnet-baseline") | {"budget": trained("x-y", [0.5, 0.5], [1.0, 1.0])["budget"]},
        ladder(),
        inferred("unet-baseline", 0.9, 200.0, kind),
        inferred("unet-int8", 0.88, 120.0, kind),
    ]


def found(records, fingerprint=MEASURED, day=2, path="results/x/0001_a.json"):
    data = run(records, fingerprint, day)
    data["energy"]["hardware"] = HARDWARE.get(fingerprint, HARDWARE[MODELLED])
    return FoundRun(path, f"{fingerprint}/0001_a", data, finished=True)


def model_of(*runs) -> Model:
    return model.of_groups(groups.of_runs(runs))


def one_machine():
    """The machine that measures, alone."""
    return model_of(found(cases()))


def three_machines() -> Model:
    """Machines that measure, mix and model; the same cases on each."""
    return model_of(
        found(cases("measured"), MEASURED),
        found(cases("mixed", 1.5), MIXED),
        found(cases("modelled", 4.0), MODELLED),
    )


def point(case, good=True, **figures) -> Point:
    """A point of a panel with the mean of each metric."""
    arch, _, technique = case.partition("-")
    known = {name: Figure(value, None, (value,)) for name, value in figures.items()}
    return Point(case, arch, technique, against="" if good else "throttled", figures=known)


def panel(points, kind="measured", machine="NVIDIA H200 at 700 W", **changes) -> Panel:
    whole = {
        "fingerprint": machine,
        "machine": machine,
        "kind": kind,
        "sources": ("rapl",),
        "task": "training",
        "setting": "2 epochs",
        "points": tuple(points),
    }
    return Panel(**(whole | changes))


def rows(chart, name):
    """What a chart's data set of some name holds."""
    return chart.spec["datasets"][name]


def series(case="enet-baseline", **changes):
    points = tuple(
        Past(f"h200/{n:04}_a", f"2026-01-{n + 1:02}T00:00:00", "abc", 3, 10.0 + (n >= 3), (9.0, 12.0))
        for n in range(6)
    )
    whole = {
        "fingerprint": MEASURED, "case": case, "task": "training", "metric": "total_kj", "relative": True,
        "points": points, "cuts": (Cut(5, ("software",)),), "levels": (Level(0, 3, 10.0), Level(3, 6, 11.0)),
        "changes": (ChangePoint(3, 0.1, 3, 3, worse=True),), "excluded": (), "noise": 0.01,
    }  # fmt: skip
    return Series(**(whole | changes))


def saved(folder, name="unet-baseline", **changes):
    """Three slices with brain of Dice 1, 0.5 and 0, and one without."""
    truth = np.zeros((4, 6, 8), dtype=bool)
    truth[:3, 1:3, 1:3] = True
    prediction = truth.copy()
    prediction[1] = np.roll(truth[1], 1, axis=1)
    prediction[2] = np.roll(truth[2], 3, axis=1)
    prediction[3] = True
    subject = np.array(["sub-a", "sub-b", "sub-c", "sub-d"])
    arrays = {"image": np.random.default_rng(0).random((4, 6, 8)), "truth": truth, "prediction": prediction}
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{name}.npz", **(arrays | {"subject": subject} | changes))
    return folder
