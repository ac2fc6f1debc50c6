"""Records as a table of pandas: one row per repeat of each case, for notebooks and one's own statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.records.metrics import METRICS
from energy.records.volumes import list_folds

if TYPE_CHECKING:
    import pandas

    from energy.records.storage.gather import FoundRun
    from energy.records.summary import CaseSummary, RunSummary

# What says which repeat a row is, and what speaks for or against it; the metrics stand between the two.
FRONT = ("case", "arch", "technique", "task", "machine", "run", "status", "repeat", "seed", "fold")
BUDGET = ("epochs", "batch_size", "image_size", "train_slices", "test_slices")
KEYS = ("data", "software")
BACK = (
    *BUDGET,
    *KEYS,
    "kind",
    "boundary",
    "sources",
    "invalid",
    "notes",
    "code",
    "commit",
    "dirty",
    "finished",
    "datetime",
)

_WHOLE = ("repeat", "seed", "fold", *BUDGET)
_YES_OR_NO = ("dirty", "finished")


def frame(source: str | Path | Sequence[str | Path] = "results") -> pandas.DataFrame:
    """Return the records of a results folder, of files or of globs as a tidy table.

    One row is one repeat (one seed, or one fold of one) of one case of one run, in the order of the files.
    The columns are always the same: `FRONT`, all of `energy.metrics.METRICS` (units are in their names or
    in METRICS; what is unknown is NaN), then `BACK`. `seed` is <NA> where nothing is random, `fold` where
    there are none; `kind` is measured, modelled or mixed; `boundary` is process or machine, of what its
    joules are; `sources`, `invalid` and `notes` are words with commas; `datetime` (UTC) is when the run was
    stored, NaT if the file has no such time. A case that failed is one row with its status and without
    figures. Runs that have not ended are there, too, with `finished` False. Only rows of equal machine,
    kind, boundary, budget (epochs, batch, size, slices) and data may be compared.

    Args:
        source: results folder, folder of one machine, file, glob, or several of these.

    Raises:
        StoreError: there is nothing; says what to do.
        RecordError: a file is damaged or of a newer schema; says which.
        ImportError: the extra `report` is not installed.
    """
    # Measuring needs none of these.
    from energy.records.schema import RecordError
    from energy.records.storage import gather
    from energy.records.summary import summarise_run

    pandas = _pandas()
    sources = [source] if isinstance(source, (str, Path)) else source
    runs, unusable = gather.read_runs(sources)
    if unusable:
        raise RecordError("; ".join(file.reason for file in unusable))
    rows = [row for run in runs for row in _rows(summarise_run(run.data, run.path), run)]
    table = pandas.DataFrame(rows, columns=[*FRONT, *_metrics(rows), *BACK])
    return table.astype(_types(table.columns)).assign(
        datetime=pandas.to_datetime(table["datetime"], utc=True, format="ISO8601", errors="coerce")
    )


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ImportError('energy.frame needs pandas: pip install "joulebench[report]"') from None
    return pandas


def _rows(run: RunSummary, found: FoundRun) -> Iterator[dict[str, Any]]:
    """Yield a row per repeat of each case; one without figures where there is no repeat."""
    made = {"run": found.reference, "machine": run.fingerprint, "commit": run.commit, "dirty": run.dirty}
    made |= {"finished": run.finished, "datetime": run.datetime}
    for case, entry in zip(run.cases, found.data["benchmarks"], strict=True):
        record = entry.get("extra_info", {}).get("energy", {})
        values = {name: figure["values"] for name, figure in record.get("metrics", {}).items()}
        values = values or dict(case.values)  # of a plain file
        same = made | _words(case) | _budget(record)
        folds = list_folds(record) if "budget" in record else ()
        for number in range(max((len(own) for own in values.values()), default=1)):
            yield {**_repeat(case, values, number, folds), **same}


def _words(case: CaseSummary) -> dict[str, Any]:
    """Return what is the same for all repeats of a case."""
    names = ("case", "arch", "technique", "task", "status", "kind", "boundary", "code")
    words = {name: getattr(case, name) for name in names}
    words |= {name: case.keys.get(name) for name in KEYS}
    return words | {name: ", ".join(getattr(case, name)) for name in ("sources", "invalid", "notes")}


def _budget(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the case was allowed; a plain file and a function have none."""
    return {name: record.get("budget", {}).get(name) for name in BUDGET}


def _repeat(
    case: CaseSummary, values: Mapping[str, Sequence[float | None]], number: int, folds: Sequence[int]
) -> dict[str, Any]:
    """Return the figures of one repeat, counted from 0; a failed case has none, and no seed that it ended."""
    if not values:
        return {}
    seed = case.seeds[number] if number < len(case.seeds) else None
    fold = folds[number] if number < len(folds) else None
    figures = {name: own[number] for name, own in values.items() if number < len(own)}
    return {**figures, "repeat": number, "seed": seed, "fold": fold}


def _metrics(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Name the metrics: those we know, then those that only these records have."""
    known = {*FRONT, *BACK, *METRICS}
    return [*METRICS, *dict.fromkeys(name for row in rows for name in row if name not in known)]


def _types(columns: Sequence[str]) -> dict[str, str]:
    """Return the type of each column but the time."""
    kinds = dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_YES_OR_NO, "bool")
    words = dict.fromkeys((*FRONT, *BACK), "string")
    return {name: kinds.get(name) or words.get(name, "float64") for name in columns if name != "datetime"}
