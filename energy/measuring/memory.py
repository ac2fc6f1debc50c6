"""The largest resident memory of this process within a window, where its high-water mark can be reset."""

from __future__ import annotations

from pathlib import Path

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
# proc(5): writing 5 resets the peak resident set size ("VmHWM").
RESET_PEAK = "5"


def reset_peak_rss() -> bool:
    """Start a new high-water mark; False where the system has none (then the peak is unknown)."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def peak_rss_mib() -> float | None:
    """Return the high-water mark since the last reset that worked, in MiB; None where there is none."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
