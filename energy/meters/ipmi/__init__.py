"""The power of the whole machine as its BMC shows it: `ipmitool dcmi power reading`, every few seconds.

A witness (DCMI specification 1.5, "Get Power Reading"). The answers come through a driver that may take a
second, so a process of its own asks, and nobody waits for it: it is read as the outside meter reads a
command, which ends with this meter, and with this process however that ends.

Needs ipmitool and, as a rule, root. Untested on hardware.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence

from energy.meters import outside
from energy.meters._meter import Diagnosis, MeterUnavailable
from energy.meters.outside.options import Options
from energy.meters.outside.quantity import WATTS
from energy.meters.outside.source import Command

DOMAINS = ("machine",)
PERIOD_SECONDS = 5.0  # asking keeps a processor busy for some milliseconds
ATTEMPT_SECONDS = 5.0
ASK = ("dcmi", "power", "reading")
ACCURACY = 0.05  # assumed: the specification has no figure
REMEDY = "As root: `apt-get install ipmitool && modprobe ipmi_devintf ipmi_si`; then run this as root."


def open(  # noqa: A001 -- every meter file has one
    gpus: Sequence[str] | None = None,  # noqa: ARG001 -- as every meter
    *,
    program: str = "ipmitool",
    period_seconds: float = PERIOD_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> outside.Outside:
    """Ask the BMC once, and start the process that goes on asking.

    Args:
        gpus: as every meter; this one measures the whole machine.
        program: ipmitool, or its path.
        period_seconds: between two questions.
        clock: the monotonic clock (s).
        wall: the wall clock (Unix s).

    Raises:
        MeterUnavailable: there is no ipmitool, no BMC, or no leave to ask it.
    """
    path = shutil.which(program)
    if path is None:
        raise MeterUnavailable("ipmitool is not installed.", REMEDY)
    _try(path)
    ask, rest = f"{path} {' '.join(ASK)}", f"sleep {period_seconds:g}"
    # Two failures end it: one may be a busy BMC, both are a BMC that is gone, or nobody who listens any more.
    loop = f"while {ask} || {{ {rest}; {ask}; }}; do {rest}; done"
    lines = Command(f"sh -c '{loop}'", name="bmc")
    return outside.follow(
        lines, Options(ACCURACY, ATTEMPT_SECONDS), clock, wall, "ipmi", {WATTS: "ipmi_dcmi"}
    )


def diagnose(gpus: Sequence[str] | None = None, *, program: str = "ipmitool") -> Diagnosis:
    """Say whether the BMC tells its power, or what it lacks."""
    try:
        meter = open(gpus, program=program)
    except MeterUnavailable as problem:
        return Diagnosis("ipmi", False, problem.reason, problem.remedy, untested=True)
    meter.close()
    return Diagnosis("ipmi", True, "machine: the BMC's power reading (DCMI)", untested=True)


def _try(path: str) -> None:
    try:
        said = subprocess.run(  # noqa: S603 -- the program that was found, and no shell
            [path, *ASK],
            capture_output=True,
            text=True,
            timeout=ATTEMPT_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise MeterUnavailable(f"ipmitool has not answered within {ATTEMPT_SECONDS:g} s.", REMEDY) from None
    except (OSError, subprocess.CalledProcessError) as problem:
        why = getattr(problem, "stderr", "") or str(problem)
        raise MeterUnavailable(
            f"ipmitool cannot ask the BMC: {' '.join(why.split())[:200]}.", REMEDY
        ) from None
    if "Watts" not in said.stdout:
        raise MeterUnavailable(
            "The BMC has no power reading by DCMI.", "Measure this machine by the meter outside."
        )
