"""Logs of programs that measure a part of the machine: refused by name, with what reads that part instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What its output has in its first lines, its name, what it measures, and what to do.
NVML, RAPL, AMD = "the meter nvml reads them", "the meter rapl reads them", "the meter amd reads them"
APPLE, CODECARBON = "the meter apple reads it", "it runs as a meter"
PROGRAMS = (
    (r"NVIDIA-SMI|NVSMI LOG|^#\s*gpu[\s,]+(idx|pwr|sm)", "nvidia-smi", "GPUs", NVML),
    (r"^\d{4}(/\d\d){2} [\d:]{8}\.\d{3}, (.*, )?\d+\.\d\d W\b", "nvidia-smi", "GPUs", NVML),
    (r"^#\s*Entity\s", "dcgmi", "GPUs", NVML),
    (r"^timestamp,gpu,|(?i:(rocm|amd)[ -]smi)|Graphics Package Power", "rocm-smi or amd-smi", "GPUs", AMD),
    (r"\bRAM \d+/\d+MB.*(CPU \[|EMC_FREQ|VDD_|POM_)", "tegrastats", "a module", "the meter jetson reads it"),
    (r"\bPkgWatt\b|\bCorWatt\b|\bBzy_MHz\b", "turbostat", "processors", RAPL),
    (r"power/energy-(pkg|ram|cores|psys)/", "perf stat", "processors", RAPL),
    (
        r"\*\*\* Sampled system activity|\bCombined Power \(CPU",
        "powermetrics",
        "a chip",
        "the meter apple reads it",
    ),
    (r"Cumulative (Processor|IA|PACKAGE) Energy", "Power Gadget", "processors", RAPL),
    (
        r"\bcpu_energy\b.*\bgpu_energy\b|codecarbon_version",
        "CodeCarbon",
        "parts, by models",
        "it runs as a meter",
    ),
    (r"\bPKG_ENERGY|\bENERGY_PKG|RAPL_", "a tool of RAPL", "processors", RAPL),
    (r"^Host:\s+[\d.]+ W", "scaphandre", "processors", RAPL),
    (r"\bCtxt/s\b.*\bWatts\b", "powerstat", "a battery or processors", RAPL),
)
SMI_FIELDS = re.compile(
    r"timestamp|index|name|uuid|serial|count|pstate|(power|utilization|temperature|memory|clocks|fan|pci|pcie|ecc|"
    r"driver|enforced|gpu|vbios|display|encoder|clocks_\w+_reasons)[._][\w.]+( \[.+\])?"
)
SMI_TIME = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}")


def refuse(lines: Sequence[str]) -> None:
    """Raise ValueError if these are the first lines of a program that does not see the whole machine."""
    text = "\n".join(lines)
    for pattern, program, part, remedy in PROGRAMS:
        if re.search(pattern, text, re.MULTILINE):
            raise ValueError(_reason(program, part, remedy))
    for header, row in zip(lines, [*lines[1:], ""], strict=True):
        fields = [cell.strip() for cell in header.split(",")]
        # nvidia-smi's own columns and no other, above its own way to write a time or without any row yet.
        own = any("power.draw" in one for one in fields) and all(SMI_FIELDS.fullmatch(one) for one in fields)
        if own and (not row or "timestamp" not in fields or SMI_TIME.search(row)):
            raise ValueError(_reason("nvidia-smi", "GPUs", "the meter nvml reads them"))


def _reason(program: str, part: str, remedy: str) -> str:
    return (
        f"this is the output of {program}, which sees {part} and not the whole machine: {remedy}. "
        "Name the log of a plug, a PDU, an analyser or a BMC"
    )
