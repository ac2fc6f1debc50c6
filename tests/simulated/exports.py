"""Runs to export, good and bad ones, and names that nobody should have chosen."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from energy import exporters
from energy.analysis.compare.compare import compare
from energy.analysis.compare.result import Comparison
from energy.exporters import Request
from energy.records.metrics import summarise_metric
from energy.records.storage.runfile import read_run
from energy.records.summary import summarise_run
from tests.simulated import records
from tests.simulated.records import domain, failed, modelled

# The reference results of this repository, parsed.
RESULTS = Path(__file__).parents[2] / "results"
COMMITTED = [read_run(path) for path in sorted(RESULTS.glob("*/[0-9]*.json"))]


def with_total(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the good records of trainings whose total energy is known."""
    found = (one["extra_info"]["energy"] for one in data["benchmarks"])
    return [
        record
        for record in found
        if (record["task"], record["validity"]["ok"]) == ("training", True)
        and record["metrics"].get("total_kj", {"mean": None})["mean"] is not None
    ]


HOSTILE = (
    "a|b\n| c | d |",
    '"><script>alert(1)</script>',
    "=cmd|'/c calc'!A1",
    "@everyone #12 closes #1",
    "`code` **bold** [link](https://example.org) <details>",
    "nul\x00bell\x07esc\x1b[31m",
    "comma, semicolon; 'quote' \"quote\" back\\slash",
    "]]> &amp; <!-- -->",
    "---\nfoo: bar",
    "```\nout of the block\n````` and more",
    "\ud800 half, \ufffe none, \u202edesrever",
    "\u2028line\u2029paragraph\x85next",
    "'apostrophe",
    "ärger µ ± 日本 🧠",
    " ",
)

# Any character, lone surrogates included, with those in front that mean something to a format.
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(), min_size=1, max_size=30),
    st.text(st.sampled_from("|`\"'\\\n\r\t<>&@#=+-*_[](){}~!$%^,;:. \x00ab"), min_size=1, max_size=30),
)


def repeated(
    case: str, total_kj: Sequence[float], dice: Sequence[float] | None = None, **changes: Any
) -> dict[str, Any]:
    """Return the record of a case of several seeds that went well, its energy measured unless told."""
    plain = records.record(case)
    dice = [0.8 + seed / 100 for seed in range(len(total_kj))] if dice is None else dice
    joules = [1000 * value for value in total_kj]
    metrics = {
        "dice": summarise_metric("dice", dice),
        "total_kj": summarise_metric("total_kj", total_kj),
        "kj_per_epoch": summarise_metric("kj_per_epoch", [value / 2 for value in total_kj]),
        "cpu_kj": summarise_metric("cpu_kj", total_kj),
        "gpu_kj": summarise_metric("gpu_kj", [None] * len(total_kj), "no meter read the gpu in this run"),
        "seconds": summarise_metric("seconds", [100.0 + value for value in total_kj]),
    }
    whole = {
        **plain,
        "budget": plain["budget"] | {"seeds": list(range(len(total_kj)))},
        "metrics": metrics,
        "epochs": [plain["epochs"][0]] * len(total_kj),
        "domains": [domain(joules)],
        "reference": plain["reference"] | {"dice": dice},
    }
    return whole | changes


def by_model(case: str, total_kj: Sequence[float]) -> dict[str, Any]:
    """Return the same with modelled energy."""
    return repeated(case, total_kj, domains=[modelled([1000 * value for value in total_kj])])


def run(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the run file of `found`, without validating each record slowly and one by one."""
    data = copy.deepcopy(_EMPTY)
    data["benchmarks"] = [{"extra_info": {"energy": record}} for record in found]
    return data


_EMPTY = records.run([])


def named(name: str) -> dict[str, Any]:
    """Return a record of one seed under any name."""
    return records.record("a-b") | {"case": name}


def invalid(case: str, total_kj: Sequence[float]) -> dict[str, Any]:
    """Return the same with a flag that speaks against it."""
    return repeated(case, total_kj, validity={"ok": False, "invalid": ["throttled"], "notes": []})


def mixed_run() -> dict[str, Any]:
    """Return a run of what goes well or badly: n = 3, modelled, invalid, out of memory, crashed, diverged."""
    return run(
        [
            repeated("unet-baseline", [12.0, 12.1, 12.2]),
            by_model("enet-baseline", [3.0, 3.1, 3.2]),
            invalid("cgnet-baseline", [5.0, 5.1, 5.2]),
            failed("sqnet-baseline"),
            failed("segnet-baseline", "error", "a cable fell out"),
            failed("erfnet-baseline", "diverged", "the loss is NaN"),
        ]
    )


def request(data: dict[str, Any], **options: Any) -> Request:
    """Return the request for a run file that was parsed."""
    return Request(data, "epyc-2c-cpu-91bc/0002_head", **options)


def text(name: str, data: dict[str, Any], **options: Any) -> str:
    """Return the only file of a format."""
    (found,) = exporters.load(name).export(request(data, **options)).files.values()
    return str(found)


def comparison(base: dict[str, Any], head: dict[str, Any], **options: Any) -> Comparison:
    """Compare two run files that were parsed."""
    return compare(
        summarise_run(base, _path("0001_base")), summarise_run(head, _path("0002_head")), **options
    )


def _path(name: str) -> Path:
    return Path("results/epyc-2c-cpu-91bc") / f"{name}.json"
