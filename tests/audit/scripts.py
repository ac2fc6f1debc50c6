"""The fault scripts: what the machine has, what goes wrong half-way, and how the window is taken.

Boards draw 250 W and their neighbours 450 W, packages 150 W, if nothing else is said; windows last 20 s.
"""

import builtins
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.simulated.machine import Constant
from tests.simulated.nvml import NOT_SUPPORTED, Gpu
from tests.simulated.powercap import Zone

BOARD = Gpu(uuid="GPU-91d0c3aa-77de-4a1b-8a0f-3c5d2e4f6071", bus=0x9A, shape=Constant(250.0))
NEIGHBOUR = Gpu(uuid="GPU-5c8a1e60-0b5e-4d1f-9c43-7f2b8a90d1e2", bus=0x17, shape=Constant(450.0))
INSTANCE = "MIG-2f0a6b1c-5c1e-5d0a-9a43-1b7f6f0c2d11"
PACKAGE = Zone("intel-rapl:0", "package-0", Constant(150.0))
NARROW_UJ = 65_532_610_987  # the range of a counter in units of 15.3 uJ


def nothing(stage):
    """Go on."""


@dataclass(frozen=True)
class Script:
    """One row of the table.

    billed: which of the GPUs (or zones) make up the true figure.
    before, ready, half_way: what happens before the tools are opened, before the window, and in it.
    counter_shows: what part of the energy the counters of the GPUs show.
    tasks: CodeCarbon is used by its task interface.
    model: there is no sensor, the CPU of the real machine is modelled, in real time.
    how: the function of ways.py that takes the window.
    """

    title: str
    domain: str = "gpu"
    gpus: tuple[Gpu, ...] = ()
    zones: tuple[Zone, ...] = ()
    billed: tuple[int, ...] = (0,)
    environ: dict[str, str] = field(default_factory=dict)
    nvidia_smi: bool = True
    counter_shows: float = 1.0
    seconds: float = 20.0
    before: Callable = nothing
    ready: Callable = nothing
    half_way: Callable = nothing
    tasks: bool = False
    model: bool = False
    how: str = "window"


@dataclass(frozen=True)
class Dip:
    """`level`, but `low` from `start` to `end` (s since the machine was switched on)."""

    level: float
    low: float
    start: float
    end: float

    def watts(self, seconds):
        return self.low if self.start <= seconds < self.end else self.level

    def joules(self, seconds):
        return self.level * seconds - (self.level - self.low) * (
            min(max(seconds, self.start), self.end) - self.start
        )


def on_board(**changes):
    """Change the board now; the value `now` is the time it happens."""

    def happen(stage):
        for name, value in changes.items():
            now = stage.time.now()
            setattr(stage.gpus[0], name, {"now": now, "from now": (now, float("inf"))}.get(value, value))

    return happen


def stand_still(stage):
    """Stop this process for 3 s, as Ctrl-Z does; its work stops too, and the board falls to 60 W."""
    since = stage.time.now() - 1000.0
    stage.gpus[0].shape = Dip(250.0, 60.0, since, since + 3.0)
    stage.time.stall(3.0)


def reset(stage):
    """Unload and load the RAPL module."""
    stage.powercap.zones[0].reset_at = stage.time.now()


def hide(stage):
    """Let every read of the package's counter fail, as a driver's error does."""
    stage.powercap.make_unreadable()


def hide_for_5_s(stage):
    hide(stage)
    stage.time.advance(5.0)
    stage.powercap.make_readable()


def deny(stage):
    """Take the right to open the package's counter away, from root as well."""
    closed = str(stage.powercap_root.resolve() / "intel-rapl:0" / "energy_uj")

    def guarded(real):
        def opened(file, *given, **named):
            if isinstance(file, str | os.PathLike) and os.path.realpath(file) == closed:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
            return real(file, *given, **named)

        return opened

    builtins.open, os.open = guarded(builtins.open), guarded(os.open)


def suspend(stage):
    """Put the host to sleep for an hour; its package counter begins at 0 again."""
    stage.powercap.zones[0].reset_at = stage.time.now()
    stage.time.suspend(3600.0)


def between_ticks(stage):
    """Go on to just behind a move of the counter, so that the window holds none."""
    moment = stage.time.now()
    stage.time.advance(moment // 0.1 * 0.1 + 0.113 - moment)


def before_a_tick(stage):
    """Go on to just before a move of the counter, so that the window holds one."""
    moment = stage.time.now()
    stage.time.advance(moment // 0.1 * 0.1 + 0.193 - moment)


def visible(value, **more):
    return {"CUDA_VISIBLE_DEVICES": value, **more}


POWER_ONLY = (replace(BOARD, counter_error=NOT_SUPPORTED),)
SILENT = (replace(BOARD, counter_error=NOT_SUPPORTED, power_error=NOT_SUPPORTED),)
PAIR = (NEIGHBOUR, BOARD)
UNLIKE = (replace(NEIGHBOUR, name="NVIDIA T4", shape=Constant(70.0)), BOARD)
SLICED = (replace(BOARD, mig=(INSTANCE,)),)
DIES = (PACKAGE, Zone("intel-rapl:1", "package-0-die-1", Constant(150.0)))
TWIN = (PACKAGE, Zone("intel-rapl-mmio:0", "package-0", Constant(150.0), start_uj=93_000_000_000))
PSYS = (
    PACKAGE,
    Zone("intel-rapl:0:0", "core", Constant(90.0), start_uj=1_000_000_000),
    Zone("intel-rapl:0:1", "uncore", Constant(9.0), start_uj=2_000_000_000),
    Zone("intel-rapl:1", "psys", Constant(400.0), start_uj=3_000_000_000),
)
NEAR_WRAP = (replace(PACKAGE, start_uj=PACKAGE.range_uj - 1_500_000_000),)
HUNGRY = (replace(PACKAGE, shape=Constant(1000.0), range_uj=NARROW_UJ, start_uj=1_000_000_000),)

SCRIPTS = (
    Script("GPU: nothing wrong", gpus=(BOARD,)),
    Script("counter begins at 0 again (driver reload)", gpus=(BOARD,), half_way=on_board(reset_at="now")),
    Script("board lost (falls off the bus)", gpus=(BOARD,), half_way=on_board(lost_at="now")),
    Script("board without energy counter", gpus=POWER_ONLY),
    Script("board without any sensor (virtual GPU)", gpus=SILENT),
    Script("counter stands still", gpus=(BOARD,), half_way=on_board(stuck="from now")),
    Script("counter shows half of it, power is right", gpus=(BOARD,), counter_shows=0.5),
    Script("no counter, and power reads 0 W", gpus=POWER_ONLY, half_way=on_board(zero_watts="from now")),
    Script("`CUDA_VISIBLE_DEVICES=0`: nothing wrong", gpus=PAIR, environ=visible("0")),
    Script("`CUDA_VISIBLE_DEVICES=GPU-…` (UUID)", gpus=PAIR, billed=(1,), environ=visible(BOARD.uuid)),
    Script(
        "the same, the second window of a process",
        gpus=PAIR,
        billed=(1,),
        environ=visible(BOARD.uuid),
        how="second",
    ),
    Script("`CUDA_VISIBLE_DEVICES=MIG-…` (the board's)", gpus=SLICED, environ=visible(INSTANCE)),
    Script("`CUDA_VISIBLE_DEVICES=` (no GPU)", gpus=PAIR, billed=(), environ=visible("")),
    Script("`CUDA_VISIBLE_DEVICES=-1` (no GPU)", gpus=PAIR, billed=(), environ=visible("-1")),
    Script(
        "the same, the second window of a process", gpus=PAIR, billed=(), environ=visible("-1"), how="second"
    ),
    Script(
        "`CUDA_VISIBLE_DEVICES=0`, the fastest board, NVML's 1",
        gpus=UNLIKE,
        billed=(1,),
        environ=visible("0"),
    ),
    Script(
        "`CUDA_VISIBLE_DEVICES=0`, by PCI bus, NVML's 1",
        gpus=(BOARD, NEIGHBOUR),
        billed=(1,),
        environ=visible("0", CUDA_DEVICE_ORDER="PCI_BUS_ID"),
    ),
    Script("`nvidia-smi` missing, NVML works", gpus=(BOARD,), nvidia_smi=False),
    Script("20 ms on a 100 ms counter, between its moves", gpus=(BOARD,), seconds=0.02, ready=between_ticks),
    Script("20 ms on a 100 ms counter, across a move", gpus=(BOARD,), seconds=0.02, ready=before_a_tick),
    Script("process stopped for 3 s (SIGSTOP), no counter", gpus=POWER_ONLY, half_way=stand_still),
    Script("wall clock set back by an hour", gpus=(BOARD,), half_way=lambda stage: stage.time.step(-3600.0)),
    Script("a window inside a window", gpus=(BOARD,), tasks=True, how="inner"),
    Script("a forked child ends the window too (sum)", gpus=(BOARD,), how="forked"),
    Script("two measurements at once (sum)", gpus=(BOARD,), how="two at once"),
    Script("RAPL: nothing wrong", "cpu", zones=(PACKAGE,)),
    Script("counter wraps", "cpu", zones=NEAR_WRAP),
    Script("counter wraps three times", "cpu", zones=HUNGRY, seconds=200.0, tasks=True),
    Script("counter begins at 0 again (module reload)", "cpu", zones=(PACKAGE,), half_way=reset),
    Script("host suspended for an hour, counter at 0", "cpu", zones=(PACKAGE,), half_way=suspend),
    Script("counter unreadable for 5 s of 58", "cpu", zones=(PACKAGE,), seconds=58.0, half_way=hide_for_5_s),
    Script("counter unreadable from half-way on", "cpu", zones=(PACKAGE,), half_way=hide),
    Script("right to read it withdrawn half-way", "cpu", zones=(PACKAGE,), half_way=deny),
    Script("zone vanishes", "cpu", zones=(PACKAGE,), half_way=lambda stage: stage.powercap.remove()),
    Script("two dies mirror one counter", "cpu", zones=DIES),
    Script("MMIO twin of a package", "cpu", zones=TWIN),
    Script("core, uncore and psys beside the package", "cpu", zones=PSYS),
    Script("no right to read it from the start", "cpu", zones=(PACKAGE,), before=deny),
    Script("model: short-lived workers, in % of one worker", "cpu", model=True, seconds=4.0, how="workers"),
)
