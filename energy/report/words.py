"""Words of records, which anyone may have written: cut to a length that a page can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from energy.records.metrics import METRICS
from energy.records.volumes import OWN

LONGEST = 160
LONGEST_NAME = 100
# Of each of thousands of cases, so that a page of hostile names stays below 5 MB.
LONGEST_OF_MANY = 60
MOST_FLAGS = 12

_NAMES = ("case", "task", "arch", "technique", "status")
# What `energy.provenance` looks at in a domain.
_OF_A_DOMAIN = ("witness", "boundary", "joules", "band")


def clipped(text: str, longest: int = LONGEST) -> str:
    """Keep both ends of a text that is too long, and make every character one that a file can hold.

    >>> clipped("attention_squeeze_unet-novograd", 12)
    'atten … grad'
    """
    if len(text) > longest:
        half = longest - 3
        text = f"{text[: half - half // 2]} … {text[len(text) - half // 2 :]}"
    return text.encode("utf-8", "replace").decode("utf-8")


def slim(record: Mapping[str, Any], longest_name: int = LONGEST_NAME) -> dict[str, Any]:
    """Return the parts of a valid record that tables show, with every text clipped."""
    error, reference = record["error"], record["reference"]
    return {
        **{name: _clipped(record[name], longest_name) for name in _NAMES},
        "error": error and {name: _clipped(error[name]) for name in ("type", "message", "seconds")},
        "metrics": {name: _figure(record["metrics"][name]) for name in METRICS if name in record["metrics"]},
        "domains": [_domain(domain) for domain in record["domains"]],
        "validity": {
            "ok": record["validity"]["ok"],
            **{name: _flags(record, name, longest_name) for name in ("invalid", "notes")},
        },
        "reference": reference and {name: _clipped(reference[name]) for name in ("case", "origin")},
        "budget": {name: value for name, value in record["budget"].items() if name in ("seeds", "folds")},
        "setup": [
            {
                "applied": {"without_effect": _without_effect(repeat)},
                "collapsed": _is_collapsed(repeat),
                OWN: _volumes(repeat),
            }
            for repeat in _list(record.get("setup"))
        ],
    }


def _flags(record: Mapping[str, Any], kind: str, longest: int) -> list[str]:
    return [clipped(flag, longest) for flag in record["validity"][kind][:MOST_FLAGS]]


def _clipped(value: Any, longest: int = LONGEST) -> Any:
    return clipped(value, longest) if isinstance(value, str) else value


def _figure(figure: Mapping[str, Any]) -> Mapping[str, Any]:
    changed: dict[str, Any] = {"reason": clipped(figure["reason"])} if "reason" in figure else {}
    if "by_volume" in figure:
        changed["by_volume"] = _clip_names(figure["by_volume"])
    return {**figure, **changed} if changed else figure


def _domain(domain: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: clipped(domain[name]) for name in ("domain", "source", "kind")}
    return words | {name: domain[name] for name in _OF_A_DOMAIN}


def _without_effect(repeat: Any) -> list[str]:
    """Return the choices that could not act; the schema says nothing of this part of a record."""
    applied = repeat.get("applied") if isinstance(repeat, Mapping) else None
    choices = applied.get("without_effect") if isinstance(applied, Mapping) else None
    return [clipped(choice) for choice in _list(choices) if isinstance(choice, str)]


def _volumes(repeat: Any) -> dict[str, float | None]:
    """Return the Dice of the volumes that a repeat was tested on; those that have one are counted."""
    volumes = repeat.get(OWN) if isinstance(repeat, Mapping) else None
    if not isinstance(volumes, Mapping):
        return {}
    known = {name: dice if isinstance(dice, int | float) else None for name, dice in volumes.items()}
    return _clip_names(known)


def _clip_names(volumes: Mapping[str, Any]) -> dict[str, Any]:
    """Clip the names of volumes; two that differ stay two, and are the same two in every case."""
    return {_shorten_volume(volume): value for volume, value in volumes.items()}


def _shorten_volume(volume: str) -> str:
    if len(volume) <= LONGEST:
        return clipped(volume)
    own = hashlib.blake2b(volume.encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{clipped(volume, LONGEST - len(own) - 1)} {own}"


def _is_collapsed(repeat: Any) -> bool:
    return isinstance(repeat, Mapping) and repeat.get("collapsed") is True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
