"""Runs as a comparison sees them, made by hand."""

from pathlib import Path
from typing import Any

from energy.records.summary import CaseSummary, RunSummary

FINGERPRINT = "epyc-2c-cpu-91bc"
KEYS = {"hardware": FINGERPRINT, "software": "5f0e", "data": "77ab", "case": "51d0"}


def case(name: str = "unet-baseline", *, keys: dict[str, str] | None = None, **fields: Any) -> CaseSummary:
    """Return a good, measured case; other keywords are fields of the summary, or values of a metric."""
    own = {key: value for key, value in fields.items() if key in CaseSummary.__dataclass_fields__}
    values = {key: tuple(value) for key, value in fields.items() if key not in own}
    repeats = max(map(len, values.values()), default=0)
    usual = {
        "task": "training",
        "status": "ok",
        "kind": "measured",
        "sources": ("rapl",),
        "seeds": tuple(range(repeats)),
        "keys": KEYS | (keys or {}),
        "values": values,
    }
    return CaseSummary(**{"case": name} | usual | own)


def run(*cases: CaseSummary, name: str = "0001_base", **fields: Any) -> RunSummary:
    """Return a finished run of these cases."""
    usual = {
        "path": Path(f"{name}.json"),
        "reference": f"{FINGERPRINT}/{name}",
        "fingerprint": FINGERPRINT,
        "datetime": "2026-01-02T03:14:05+00:00",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "finished": True,
    }
    return RunSummary(**usual | fields, cases=cases)
