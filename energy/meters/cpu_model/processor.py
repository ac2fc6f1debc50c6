"""Which processor this is: what the kernel says of its maker, its model, its instructions and its threads.

A virtual machine may hide the marketing name ("AMD EPYC", "Intel Xeon Processor"). Family and model usually
show through, but some hosts show those of another processor; its instructions then give it away.

Sources: proc(5); Intel SDM vol. 2A, CPUID leaf 1 (family, model, stepping; the bit that Linux shows as
"hypervisor" is 0 on a processor itself); Linux, arch/arm64/kernel/cpuinfo.c.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
# The instructions that decide which kernels of numpy, oneDNN and PyTorch run, as Linux names them.
INSTRUCTIONS = (
    "avx", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16",
    "amx_fp16", "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "svebf16",
)  # fmt: skip
# arch/arm64/kernel/cpuinfo.c and x86 use other words for the same things.
FIELDS = {
    "vendor": ("vendor_id", "CPU implementer"),
    "family": ("cpu family", "CPU architecture"),
    "model": ("model", "CPU part"),
    "stepping": ("stepping", "CPU revision"),
}


@dataclass(frozen=True)
class Processor:
    """What the kernel says of the processors: `threads` are the hardware threads of all of them.

    vendor: "GenuineIntel", "AuthenticAMD"; on Arm the implementer's code, "0x41".
    family, model, stepping: as the vendor numbers them; None where the kernel does not say.
    instructions: those of INSTRUCTIONS that it has, in that order.
    threads_per_core: None where the kernel does not say.
    """

    name: str
    sockets: int
    threads: int
    virtual: bool
    vendor: str = ""
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    instructions: tuple[str, ...] = ()
    threads_per_core: int | None = None

    def as_key(self) -> dict[str, Any]:
        """Return what tells two processors apart whose marketing names are equal."""
        return {
            "vendor": self.vendor,
            "family": self.family,
            "model": self.model,
            "stepping": self.stepping,
        }


def read_processor(cpuinfo: Path = CPUINFO) -> Processor:
    """Read what the kernel says; what it does not say is None or empty. Arm kernels give no name.

    Raises:
        OSError: the file cannot be read, as on a system that is not Linux.
    """
    lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
    values = [(key.strip(), value.strip()) for key, _, value in lines]
    first = dict(reversed(values))
    flags = {*first.get("flags", "").split(), *first.get("Features", "").split()}
    packages = {value for key, value in values if key == "physical id"}
    threads = Counter(key for key, _ in values)["processor"]
    return Processor(
        name=first.get("model name", ""),
        sockets=max(1, len(packages)),
        threads=max(1, threads),
        virtual="hypervisor" in flags,
        vendor=_field(first, "vendor") or "",
        family=_number(_field(first, "family")),
        model=_number(_field(first, "model")),
        stepping=_number(_field(first, "stepping")),
        instructions=tuple(name for name in INSTRUCTIONS if name in flags),
        threads_per_core=_threads_per_core(first),
    )


def _field(first: Mapping[str, str], what: str) -> str | None:
    return next((first[name] for name in FIELDS[what] if name in first), None)


def _number(text: str | None) -> int | None:
    """Read a decimal or hexadecimal number; "AArch64", as old kernels say, is none."""
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None


def _threads_per_core(first: Mapping[str, str]) -> int | None:
    siblings, cores = (_number(first.get(name)) for name in ("siblings", "cpu cores"))
    return siblings // cores if siblings and cores and siblings >= cores else None
