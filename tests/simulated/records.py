"""Records and run files as a measuring session writes them, made by hand."""

from collections.abc import Sequence
from typing import Any

from energy.records.metrics import summarise_metric
from energy.records.provenance import find_boundary
from energy.records.storage import runfile

COMMIT = {
    "id": "0123456789abcdef0123456789abcdef01234567",
    "time": "2026-01-01T00:00:00+00:00",
    "author_time": "2026-01-01T00:00:00+00:00",
    "dirty": False,
    "project": "joulebench",
    "branch": "main",
}


def domain(
    joules: Sequence[float | None], low: float = 0.95, high: float = 1.05, **changes: Any
) -> dict[str, Any]:
    """Return one domain of energy, by RAPL unless told otherwise; low and high are factors of its mean."""
    known = [value for value in joules if value is not None]
    mean = sum(known) / len(known) if len(known) == len(joules) else None
    return {
        "domain": "cpu",
        "device": "package-0",
        "source": "rapl",
        "kind": "measured",
        "boundary": "machine",
        "witness": False,
        "joules": list(joules),
        "coverage": 1.0,
        "band": None if mean is None else [mean * low, mean * high],
        "reason": None,
    } | changes


def modelled(joules: Sequence[float | None]) -> dict[str, Any]:
    """Return CodeCarbon's model of the CPU, between a quarter and twice of which the truth lies."""
    return domain(joules, 0.25, 2.0, device="", source="codecarbon_cpu_load_model", kind="modelled")


def record(case: str = "unet-baseline", **changes: Any) -> dict[str, Any]:
    """Return the record of a training case of one seed that went well."""
    arch, _, technique = case.partition("-")
    whole = {
        "schema": 1,
        "case": case,
        "task": "training",
        "node": f"benchmarks/test_training.py::test_training[{case}]",
        "arch": arch,
        "technique": technique,
        "status": "ok",
        "error": None,
        "budget": {
            "epochs": 2,
            "seeds": [0],
            "batch_size": 8,
            "image_size": 64,
            "train_slices": 96,
            "val_slices": 12,
            "test_slices": 12,
        },
        "keys": {"hardware": "epyc-2c-cpu-91bc", "software": "5f0e", "data": "77ab", "case": f"{case}-51d0"},
        "metrics": {
            "dice": summarise_metric("dice", [0.85]),
            "total_kj": summarise_metric("total_kj", [12.3]),
            "kj_per_epoch": summarise_metric("kj_per_epoch", [6.1]),
            "dice_loss_vs_unet_pct": summarise_metric("dice_loss_vs_unet_pct", [0.0]),
            "dice_per_kj": summarise_metric("dice_per_kj", [0.0691]),
            "seconds": summarise_metric("seconds", [101.4]),
        },
        "epochs": [
            [
                {"epoch": 1, "joules": 6200.0, "seconds": 50.9, "loss": 0.7, "val_dice": 0.6},
                {"epoch": 2, "joules": 6100.0, "seconds": 50.5, "loss": 0.4, "val_dice": 0.8},
            ]
        ],
        "domains": [domain([12300.0])],
        "reference": {"case": "unet-baseline", "dice": [0.85], "origin": "this run"},
        "recipe": {"arch": arch, "lr": 1e-3},
        "validity": {"ok": True, "invalid": [], "notes": []},
        "machine": {"threads": 2},
    }
    made = whole | changes
    return {"boundary": find_boundary(made["domains"])} | made


def failed(case: str, status: str = "oom", message: str = "tried to allocate 2 GiB") -> dict[str, Any]:
    """Return the record of a case that ended after 3.25 s, before anything was measured."""
    error = {"type": "OutOfMemoryError", "message": message, "seconds": 3.25}
    nothing = {"metrics": {}, "epochs": [], "domains": [], "reference": None}
    return record(case, status=status, error=error, **nothing)


def block(fingerprint: str = "epyc-2c-cpu-91bc", **changes: Any) -> dict[str, Any]:
    """Return the file-level energy block."""
    return {
        "schema": 1,
        "fingerprint": fingerprint,
        "hardware": {"gpus": [], "cpu": "AMD EPYC", "cores": 2},
        "meters": ["rapl"],
        "suite_version": "0.1.0",
        "run": "c0ffee",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:14:05+00:00",
        "command": "pytest benchmarks",
        "idle": {"watts": {"cpu": 11.0, "total": 11.0}, "seconds": 5.0},
    } | changes


def run(
    records: Sequence[dict[str, Any]], fingerprint: str = "epyc-2c-cpu-91bc", day: int = 2
) -> dict[str, Any]:
    """Return the run file of `records`, made on a day of January 2026."""
    time = f"2026-01-{day:02}T03:14:05+00:00"
    return runfile.as_pytest_benchmark(records, block(fingerprint), commit=COMMIT, time=time)
