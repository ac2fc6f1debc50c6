"""The sentences under a table: what the figures are, and how far one may trust them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from energy.records import provenance
from energy.records.provenance import Provenance
from energy.records.volumes import count_test_volumes
from energy.text import format_factor, format_number

Record = Mapping[str, Any]

ENOUGH_VOLUMES = 10

OF = {
    provenance.PROCESS: "of this process tree",
    provenance.MACHINE: "of the machine",
    provenance.BOTH: "CPU of this process tree and memory of the machine",
}
# What a reader of a table must know of its boundary.
BOUNDARY_SENTENCES = {
    provenance.PROCESS: "boundary process: what this process tree caused, not what the machine drew",
    provenance.MACHINE: "boundary machine: what the box drew meanwhile, for all programs",
    provenance.BOTH: "boundary process+machine: before the two were kept apart; comparable with no other",
}


def write_caption(
    records: Sequence[Record], names: Sequence[str], idle: Mapping[str, Any] | None
) -> list[str]:
    """Return the sentences that the columns `names` of `records` need."""
    sentences = [*_meters(records), *_boundaries(records), _idle(idle)]
    if any(name.startswith("dice") for name in names):
        sentences += _repeats(records)
    if "dice_loss_vs_unet_pct" in names:
        sentences += _references(records)
    return [*sentences, *_without_effect(records)]


def sources_in_words(source: Provenance) -> str:
    """Name the meters behind a total, and what it is of: "measured: nvml_counter + rapl, of the machine".

    >>> both = ("rapl", "measured"), ("ram_model", "modelled")
    >>> sources_in_words(Provenance("mixed", "machine", both, None, None))
    'mixed: rapl measured + ram_model modelled, of the machine'
    """
    named = (name if source.kind == kind else f"{name} {kind}" for name, kind in source.sources)
    return f"{source.told_kind}: {' + '.join(named)}, {OF[source.boundary]}"


def band_in_words(sources: Sequence[Provenance]) -> str:
    """Say how far the truth may lie from any of some totals whose bands are known: "÷4 … ×2".

    >>> band_in_words([Provenance("modelled", "process", (), 100.0, (25.0, 200.0))])
    '÷4 … ×2'
    """
    factors = [source.factors for source in sources if source.factors is not None]
    low, high = min(low for low, _ in factors), max(high for _, high in factors)
    return f"{format_factor(low)} … {format_factor(high)}"


def kilojoules(source: Provenance) -> str:
    """Write a total with its band: "12 kJ in [3.1, 25] kJ".

    >>> kilojoules(Provenance("modelled", "process", (), 12340.0, (3085.0, 24680.0)))
    '12 kJ in [3.1, 25] kJ'
    """
    if source.joules is None or source.band is None:
        return "unknown"
    low, high = source.band[0] / 1000, source.band[1] / 1000
    half = (high - low) / 2
    total = format_number(source.joules / 1000, half)
    return f"{total} kJ in [{format_number(low, half)}, {format_number(high, half)}] kJ"


def _meters(records: Sequence[Record]) -> Iterator[str]:
    """Yield one sentence per set of meters: the widest band of its totals, the first case as example."""
    known: dict[object, list[tuple[str, Provenance]]] = {}
    for record in records:
        source = provenance.find_provenance(record)
        if source is not None and source.factors is not None:
            known.setdefault((source.sources, source.boundary), []).append((record["case"], source))
    for cases in known.values():
        case, source = cases[0]
        yield (
            f"{sources_in_words(source)}; the truth of a total lies within "
            f"{band_in_words([source for _, source in cases])} ({case}: {kilojoules(source)})"
        )
    if not known:
        yield "no total energy is known"


def _boundaries(records: Sequence[Record]) -> Iterator[str]:
    """Yield what the totals are of; one sentence, unless the records are of several boundaries."""
    sources = (provenance.find_provenance(record) for record in records)
    for boundary in dict.fromkeys(source.boundary for source in sources if source is not None):
        yield BOUNDARY_SENTENCES[boundary]


def _idle(idle: Mapping[str, Any] | None) -> str:
    """Say what the machine drew before the first case."""
    if idle is None:
        return "idle power: not measured"
    parts = [
        f"{name} unknown" if watts is None else f"{name} {format_number(watts)} W"
        for name, watts in idle["watts"].items()
    ]
    seconds = format_number(idle["seconds"])
    disturbed = f" (disturbed: {', '.join(idle['flags'])})" if idle.get("flags") else ""
    return (
        f"idle power: {', '.join(parts)}, over {seconds} s before the first case; not subtracted{disturbed}"
    )


def _repeats(records: Sequence[Record]) -> Iterator[str]:
    """Yield what stands behind ±, and how much it says of new volumes."""
    # One that failed has no interval.
    ended = [record for record in records if record["status"] == "ok"]
    tested = {count for record in ended if (count := count_test_volumes(record))}
    counts = {len(summary["values"]) for record in records for summary in record["metrics"].values()}
    if counts <= {1}:
        yield "n = 1: no interval"
    else:
        over = _tell_over(records, counts, tested)
        yield f"±: half the 95 % confidence interval of the mean (Student's t) {over}"
    folds = any("folds" in record["budget"] for record in records)
    if tested and not folds and min(tested) < ENOUGH_VOLUMES:
        yield (
            f"tested on {_tell_range(tested)} volume(s) of one split, which says little of the next volume: "
            "--folds K tests on every one"
        )


def _tell_over(records: Sequence[Record], counts: set[int], tested: set[int]) -> str:
    """Say over what intervals are: of folds Dice over volumes, else all over the repeats."""
    if any("folds" in record["budget"] for record in records):
        return f"over {_tell_range(tested)} volumes for Dice, over {_tell_range(counts)} repeats for the rest"
    if len(counts) == 1 and tested and all(record["budget"].get("seeds") for record in records):
        return f"over {max(counts)} seeds, one split, {_tell_range(tested)} test volumes"
    number = f"n = {_tell_range(counts)}" + (" (n = 1: no interval)" if len(counts) > 1 else "")
    return f"over the repeats, {number}"


def _tell_range(counts: set[int]) -> str:
    least, most = min(counts, default=0), max(counts, default=0)
    return str(most) if least == most else f"{least} to {most}"


def _references(records: Sequence[Record]) -> Iterator[str]:
    """Yield where the U-Net comes from that the Dice is compared with."""
    found = (record["reference"] for record in records if record["reference"])
    for case, origin in dict.fromkeys((reference["case"], reference["origin"]) for reference in found):
        yield f"Dice lost %: relative to {case} ({origin})"


def _without_effect(records: Sequence[Record]) -> Iterator[str]:
    """Yield the choices that could not act, or never did, by case: equal figures are then no finding."""
    for record in records:
        accounts = [repeat.get("applied", {}).get("without_effect", []) for repeat in record.get("setup", [])]
        choices = dict.fromkeys(choice for account in accounts for choice in account)
        if choices:
            yield f"without effect in {record['case']}: {'; '.join(choices)}"
