"""The metrics of a record: unit, direction and meaning of each, in one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Any, Literal

from energy.statistics import confidence_interval
from energy.text import explain_unknown

JOULES_PER_KJ = 1000.0
NO_GRID = "no grid factor given (ini option energy_grid_g_per_kwh)"  # why `co2_g` is unknown

Better = Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Metric:
    """Name a figure, its unit, the direction that is better (None: neither) and what it means."""

    name: str
    unit: str
    better: Better
    meaning: str


_ALL = (
    Metric("dice", "1", "higher", "Dice pooled over a test volume's slices, mean over volumes; logits > 0"),
    Metric("dice_slice", "1", "higher", "mean Dice over the test slices that contain brain"),
    Metric("dice_batch", "1", "higher", "micro-Dice of each test batch, averaged; depends on its size"),
    Metric(
        "dice_native", "1", "higher", "Dice of masks scaled back to the grid of their files, over volumes"
    ),
    Metric("hd95_mm", "mm", "lower", "95th percentile of the surfaces' distance on that grid, over volumes"),
    Metric("sensitivity", "1", "higher", "share of a test volume's brain that was found, mean over volumes"),
    Metric("precision", "1", "higher", "share of what was found that is brain, mean over test volumes"),
    Metric("dice_loss_vs_unet_pct", "%", "lower", "100 (U-Net's Dice - Dice) / U-Net's Dice, paired by seed"),
    Metric("total_kj", "kJ", "lower", "energy of GPU, CPU and RAM over the training window"),
    Metric("kj_per_epoch", "kJ", "lower", "energy of a steady epoch; one-off cost is in setup_kj"),
    Metric("dice_per_kj", "1/kJ", "higher", "dice / total_kj"),
    Metric("kj_to_dice", "kJ", "lower", "energy until the validation Dice first reaches the target"),
    Metric("gpu_kj", "kJ", "lower", "energy of the GPUs over the training window"),
    Metric("cpu_kj", "kJ", "lower", "energy of the CPU packages over the training window"),
    Metric("ram_kj", "kJ", "lower", "energy of the memory over the training window"),
    Metric("idle_kj", "kJ", "lower", "part of total_kj that the idle machine would have drawn anyway"),
    Metric("setup_kj", "kJ", "lower", "part of total_kj before the first epoch: cache, LR search, tracing"),
    Metric("teacher_kj", "kJ", "lower", "part of total_kj that trained the network which teaches this one"),
    Metric("codecarbon_kj", "kJ", None, "CodeCarbon's own total, the second witness"),
    Metric("outside_kj", "kJ", None, "energy of the whole machine, by a meter outside of it"),
    Metric("seconds", "s", "lower", "wall time of the training window"),
    Metric("s_per_epoch", "s", "lower", "wall time of a steady epoch"),
    Metric("slices_per_s", "1/s", "higher", "training slices per second of steady epochs"),
    Metric("peak_gpu_mib", "MiB", "lower", "largest GPU memory allocated"),
    Metric("peak_rss_mib", "MiB", "lower", "largest resident memory of the process"),
    Metric("mean_watts", "W", "lower", "total energy / wall time of the training window"),
    Metric(
        "temp_rise_c",
        "°C",
        "lower",
        "temperature at the end - at the start: GPU that warmed most, else CPU",
    ),
    Metric("inference_j_per_slice", "J", "lower", "energy to segment one slice"),
    Metric("inference_ms_per_slice", "ms", "lower", "wall time to segment one slice"),
    Metric("params", "1", "lower", "trainable parameters"),
    Metric("macs_per_slice", "1", "lower", "multiply-accumulate operations of one forward pass of one slice"),
    Metric("co2_g", "g", "lower", "grams of CO2 equivalent of total_kj by the grid factor in the record"),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})


def summarise_metric(
    name: str,
    values: Sequence[float | None],
    reason: str | None = None,
    by_volume: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return {"unit", "better", "values", "mean", "ci95"} of a metric, plus "reason" if a value is None.

    The mean is None as soon as one value is: that of the repeats that happened to work is another figure.

    Args:
        name: of the metric.
        values: one per repeat, None where unknown.
        reason: why one is.
        by_volume: of folds the figure of each volume; mean and interval are then over these.

    Raises:
        ValueError: unknown metric, no value, a value that is not finite, or None without a reason.
    """
    metric = METRICS.get(name)
    if metric is None:
        raise ValueError(explain_unknown("metric", name, METRICS))
    if not values:
        raise ValueError(f"metric {name} got no values; give one per repeat, None where unknown")
    known = [float(value) for value in values if value is not None]
    if not all(map(math.isfinite, known)):
        raise ValueError(f"metric {name} got {known}; expected finite numbers, or None with a reason")
    summary: dict[str, Any] = {"unit": metric.unit, "better": metric.better, "values": list(values)}
    told: dict[str, Any] = {"by_volume": dict(by_volume)} if by_volume else {}
    if len(known) < len(values):
        if not reason:
            raise ValueError(f"metric {name} has an unknown value and no reason; say why it is unknown")
        told["reason"] = reason
    units = list(by_volume.values()) or (known if len(known) == len(values) else [])
    ci95 = confidence_interval(units) if units else None
    return summary | {"mean": fmean(units) if units else None, "ci95": list(ci95) if ci95 else None} | told
