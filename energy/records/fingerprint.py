"""The name of a machine with its meters: readable, and a hash of all that a figure in joules depends on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

# Words of a processor's marketing name that tell nothing about it.
NOISE = re.compile(
    r"\((r|tm)\)|@.*|\b(amd|intel|apple|nvidia|cpu|gpu|processor|\d+-core|with .*)\b", re.IGNORECASE
)
# What a machine's name says of them, the most telling first.
LEVELS = {
    "amx_bf16": "amx",
    "avx512_bf16": "avx512bf16",
    "avx512f": "avx512",
    "avx2": "avx2",
    "avx": "avx",
    "svebf16": "svebf16",
    "sve": "sve",
    "bf16": "neonbf16",
    "asimd": "neon",
}
# What describes a machine since the names of its processor's instructions are a part of its key.
SINCE_INSTRUCTIONS = ("processor", "instructions", "boundary", "cpu_law")


def name_hardware(hardware: Mapping[str, Any]) -> str:
    """Name a hardware description: `h200-700w-3f2a`, `epyc-7763-2c-avx2-cpu-91bc`.

    >>> cpu = {"cpu": "AMD EPYC 7763 64-Core Processor", "cores": 2, "instructions": ["avx", "avx2"]}
    >>> name_hardware({"gpus": [], "meters": ["rapl"], **cpu})[:-4]
    'epyc-7763-2c-avx2-cpu-'
    """
    text = json.dumps(hardware, sort_keys=True)
    return f"{_readable(hardware)}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def name_before(hardware: Mapping[str, Any]) -> str | None:
    """Return the name that this machine had before its key told the processor's instructions.

    None where a description is of that time itself. Memory was CodeCarbon's model then, where it is ours now.
    """
    if not set(SINCE_INSTRUCTIONS) & set(hardware):
        return None
    before = {name: value for name, value in hardware.items() if name not in SINCE_INSTRUCTIONS}
    meters = ("codecarbon_ram_model" if name == "ram_model" else name for name in hardware["meters"])
    return name_hardware(before | {"meters": sorted(meters)})


def find_level(instructions: Collection[str]) -> str:
    """Name the widest vector instructions in a word; "" where none is known.

    >>> find_level(["avx", "avx2", "avx512f", "avx512_bf16"]), find_level([])
    ('avx512bf16', '')
    """
    return next((word for name, word in LEVELS.items() if name in instructions), "")


def _readable(hardware: Mapping[str, Any]) -> str:
    if not hardware["gpus"]:
        level = find_level(hardware.get("instructions", ()))
        words = (_slug(hardware["cpu"]), f"{hardware['cores']}c", level, "cpu")
        return "-".join(word for word in words if word)
    first, count = hardware["gpus"][0], len(hardware["gpus"])
    limit = first.get("power_limit_watts")
    parts = [
        f"{count}x" if count > 1 else "",
        _slug(first["name"]),
        f"{round(limit)}w" if limit else "",
        "mig" if first.get("mig") else "",
    ]
    return "-".join(part for part in parts if part)


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", NOISE.sub(" ", text).lower())
    return "-".join(words[:3]) or "unknown"
