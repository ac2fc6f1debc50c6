"""Where this program runs, as far as that decides which counters it sees: metal, container, virtual."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

X86 = ("x86_64", "AMD64", "i686")


@dataclass(frozen=True)
class Surroundings:
    """`container` is its kind ("docker", "podman" ...), "" outside of one; only x86 processors have RAPL."""

    virtual: bool
    container: str
    x86: bool

    def __str__(self) -> str:
        machine = "a virtual machine" if self.virtual else "a machine"
        return f"a {self.container} container in {machine}" if self.container else machine


def surroundings(system: Path = Path("/"), machine: str | None = None) -> Surroundings:
    """Look at the files that give virtual machines and containers away.

    Sources: the flag "hypervisor" is CPUID leaf 1, ECX bit 31, which processors leave 0 (Intel SDM vol. 2A);
    /run/systemd/container (systemd, Container Interface), /.dockerenv, /run/.containerenv (podman-run(1)).
    """
    flags = next((line for line in _lines(system / "proc/cpuinfo") if line.startswith("flags")), "")
    return Surroundings(
        "hypervisor" in flags.split(), _container(system), (machine or platform.machine()) in X86
    )


def _container(system: Path) -> str:
    named = "".join(_lines(system / "run/systemd/container")[:1]).strip()
    if named:
        return named
    if (system / "run/.containerenv").exists():
        return "podman"
    if (system / ".dockerenv").exists():
        return "docker"
    groups = " ".join(_lines(system / "proc/self/cgroup"))
    return next((word for word in ("kubepods", "docker", "containerd", "lxc") if word in groups), "")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
