"""Front matter of a Hugging Face model card: co2_eq_emissions of one case, in grams.

The grams are those of one training: the mean over the repeats. They need a grid factor, the run's own or
--grid-g-per-kwh; without one, emissions are unknown and nothing is written. Where the machine stands and what
kind of training it was, no record knows: --location and --training-type say it.

https://huggingface.co/docs/hub/model-cards-co2
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from energy.exporters import Exported, ExportError, Request
from energy.exporters._carbon import KJ_PER_KWH, factor, grams
from energy.exporters._cases import problem, records, sources
from energy.exporters._text import printable
from energy.records import provenance
from energy.records.metrics import NO_GRID
from energy.text import explain_unknown, format_number

OPTIONS = ("case", "grid_g_per_kwh", "location", "training_type")


def export(request: Request) -> Exported:
    """Return the front matter.

    Raises:
        ExportError: the case is not said or not there, it has no good figures, or the grid is unknown.
    """
    import yaml

    record = _chosen(request)
    fields = {"emissions": round(_emissions(request, record), 6), "source": _source(request, record)}
    told = {"training_type": request.training_type, "geographical_location": request.location}
    fields |= {name: printable(text) for name, text in told.items() if text}
    fields["hardware_used"] = _hardware(request)
    text = yaml.safe_dump({"co2_eq_emissions": fields}, sort_keys=False, allow_unicode=True, width=1000)
    return Exported({".model_card.md": f"---\n{text}---\n"})


def _chosen(request: Request) -> Mapping[str, Any]:
    trained = [record for record in records(request) if record["task"] in ("training", "function")]
    known = sorted({record["case"] for record in trained})
    if request.case is None and len(known) != 1:
        raise ExportError(
            f"{request.reference} has {len(known)} trained cases, a model card is of one: name it by --case"
        )
    found = [record for record in trained if request.case in (None, record["case"])]
    if not found:
        raise ExportError(f"{explain_unknown('case', str(request.case), known)}; in {request.reference}")
    if len(found) > 1:
        raise ExportError(f"{request.reference} has {len(found)} cases of the name {request.case!r}")
    if (why := problem(found[0])) is not None:
        raise ExportError(f"{found[0]['case']} in {request.reference} is not to be published: {why}")
    return found[0]


def _emissions(request: Request, record: Mapping[str, Any]) -> float:
    """Return the mean grams of one training."""
    emitted = grams(request, record)
    known = [value for value in emitted if value is not None]
    if known and len(known) == len(emitted):
        return fmean(known)
    total = record["metrics"].get("total_kj", {"mean": None, "reason": "no energy was metered"})
    if total["mean"] is None:
        raise ExportError(f"emissions of {record['case']} are unknown: {total['reason']}")
    raise ExportError(
        f"emissions of {record['case']} are unknown: {NO_GRID}; give --grid-g-per-kwh, for example 475"
    )


def _source(request: Request, record: Mapping[str, Any]) -> str:
    """Say how the grams were got, how far off they may be, and what they are the mean of."""
    version = request.run["energy"]["suite_version"]
    repeats = len(record["metrics"]["total_kj"]["values"])
    parts = [f"joulebench {version}", sources(record), *_grid(request), *_band(request, record)]
    parts.append("one training" if repeats == 1 else f"mean of {repeats} trainings")
    return printable("; ".join(parts))


def _grid(request: Request) -> list[str]:
    per_kwh = factor(request)
    return [] if per_kwh is None else [f"grid {per_kwh:g} g/kWh"]


def _band(request: Request, record: Mapping[str, Any]) -> list[str]:
    made_of, per_kwh = provenance.find_provenance(record), factor(request)
    if made_of is None or made_of.band is None or per_kwh is None:
        return []
    low, high = (format_number(joules / 1000 / KJ_PER_KWH * per_kwh) for joules in made_of.band)
    return [f"the truth lies within {low} and {high} g by the error of the meters"]


def _hardware(request: Request) -> str:
    """Name what the figure in joules depends on: boards with their power limit, the processor."""
    known = request.run["energy"]["hardware"]
    boards = [_board(board) for board in known.get("gpus") or ()]
    processor = f"{known.get('cpu')} ({known.get('cores')} cores)"
    return printable(", ".join([*boards, processor]))


def _board(board: Mapping[str, Any]) -> str:
    watts = board.get("power_limit_watts")
    return f"{board.get('name')}{f' @ {watts:g} W' if watts else ''}"
