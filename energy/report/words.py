"""Words of records, which anyone may have written: cut to a length that a page can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 160

_NEEDED = (
    "case",
    "task",
    "arch",
    "technique",
    "status",
    "error",
    "metrics",
    "domains",
    "validity",
    "reference",
)


def clipped(text: str, longest: int = LONGEST) -> str:
    """Keep both ends of a text that is too long, and make every character one that a file can hold.

    >>> clipped("attention_squeeze_unet-novograd", 12)
    'atten … grad'
    """
    if len(text) > longest:
        half = longest - 3
        text = f"{text[: half - half // 2]} … {text[len(text) - half // 2 :]}"
    return text.encode("utf-8", "replace").decode("utf-8")


def slim(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a record that tables show, with every text clipped."""
    return {name: _clipped(record[name]) for name in _NEEDED}


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        return clipped(value)
    if isinstance(value, Mapping):
        return {clipped(str(key)): _clipped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clipped(item) for item in value]
    return value
