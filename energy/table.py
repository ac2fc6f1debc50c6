"""The table at the end of a run, and of `show`: plain text, digits that the uncertainty supports, reasons for gaps."""

from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_COLUMNS = (
    "case", "dice", "kj_per_epoch", "total_kj", "dice_loss_vs_unet_pct", "dice_per_kj", "seconds", "meter", "flags",
)  # fmt: skip


def parse_columns(text: str) -> tuple[str, ...]:
    """Return the column names in a comma-separated `text`; ValueError with the nearest names for an unknown one."""
    raise NotImplementedError


def parse_sort(text: str) -> str:
    """Return `text` if the table can be sorted by it; ValueError with the nearest names otherwise."""
    raise NotImplementedError


def render(
    records: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    idle: Mapping[str, Any] | None = None,
    width: int = 120,
) -> str:
    """Return the table of `records` with caption and numbered reasons; `idle` is the file-level energy.idle block."""
    raise NotImplementedError
