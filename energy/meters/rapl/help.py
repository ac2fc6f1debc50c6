"""Why RAPL cannot be read on this machine, and the command that would open it, if any would."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from energy.meters._meter import MeterUnavailable
from energy.meters._surroundings import Surroundings, surroundings

SYSTEM = Path("/")
# Container engines hide powercap since the advisory GHSA-jq35-85cj-fj4p.
UNMASK = (
    "start the container with `--security-opt systempaths=unconfined` (Docker) "
    "or `--security-opt unmask=ALL` (Podman)"
)
MODULE = "`sudo modprobe intel_rapl_msr` (for AMD too, from Linux 5.11 on)"
UDEV = (
    """`echo 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"' """
    "| sudo tee /etc/udev/rules.d/70-rapl.rules`"
)


def explain_absent(root: Path, system: Path = SYSTEM) -> MeterUnavailable:
    """Return why there are no packages under `root`, most certain cause first."""
    place = surroundings(system)
    if place.virtual:
        return MeterUnavailable(
            f"There are no RAPL packages under {root}: this is {place}, and the host keeps the counters.",
            "No command on this machine opens them: run on the host, or measure it by the meter outside.",
        )
    if hidden := _hidden(root):
        return MeterUnavailable(
            f"There are no RAPL packages under {root}: {hidden} leads nowhere, as this is {place}.",
            f"No command in the container opens them: {UNMASK}.",
        )
    if not place.x86:
        return MeterUnavailable(
            f"There are no RAPL packages under {root}: only x86 processors have RAPL.",
            "Measure this machine by the meter outside.",
        )
    if place.container:
        return MeterUnavailable(
            f"There are no RAPL packages under {root}: this is {place}.",
            f"On the host: {MODULE}; then {UNMASK}.",
        )
    return MeterUnavailable(
        f"There are no RAPL packages under {root}: the driver is not loaded, or the kernel has none.",
        f"{MODULE}.",
    )


def explain_closed(files: Sequence[Path], system: Path = SYSTEM) -> MeterUnavailable:
    """Return the commands that open the counters `files` to this user."""
    place = surroundings(system)
    chmod = f"`sudo chmod a+r {' '.join(map(str, files))}`"
    commands = (
        f"{_where(place)}{chmod} opens them until the next boot, {UDEV} for good. "
        "A user who may read them may learn what others compute (CVE-2020-8694)"
    )
    return MeterUnavailable(f"The RAPL counters are closed to this user ({files[0]}).", f"{commands}.")


def explain_unreadable(problem: Exception, system: Path = SYSTEM) -> MeterUnavailable:
    """Return what to do about a counter that is there and cannot be read."""
    place = surroundings(system)
    remedy = (
        f"This is {place}: {UNMASK}." if place.container else "The kernel's log (`sudo dmesg`) may say why."
    )
    return MeterUnavailable(f"A RAPL counter cannot be read: {problem}.", remedy)


def add_refusal(problem: MeterUnavailable, refusal: Exception, system: Path = SYSTEM) -> MeterUnavailable:
    """Return why neither powercap (`problem`) nor perf events (`refusal`) can be read, and what helps."""
    reason = f"{problem.reason} Its perf events cannot be had either ({refusal})."
    if not isinstance(refusal, OSError) or refusal.errno not in (errno.EACCES, errno.EPERM):
        return MeterUnavailable(reason, problem.remedy)
    python = Path(sys.executable).resolve()
    remedy = (
        "`sudo sysctl kernel.perf_event_paranoid=0` opens the perf events to all until the next boot, "
        f"`sudo setcap cap_perfmon+ep {python}` to this Python for good."
    )
    place = surroundings(system)
    if place.container:  # the engine's filter of system calls refuses, whatever the host's setting
        remedy = f"start the container with `--cap-add=PERFMON`; on the host: {remedy}"
    return MeterUnavailable(reason, f"{problem.remedy} Or {remedy}")


def _where(place: Surroundings) -> str:
    """Say where files can be opened: the files in a container have the modes that they have on the host."""
    return "On the host: " if place.container else ""


def _hidden(root: Path) -> str:
    """Return a zone whose link leads nowhere: a container engine has put an empty folder over its target."""
    try:
        links = sorted(root.glob("intel-rapl*"))
    except OSError:
        return ""
    return next((str(link) for link in links if not _leads_somewhere(link)), "")


def _leads_somewhere(link: Path) -> bool:
    try:
        link.stat()
    except OSError:
        return False
    return True
