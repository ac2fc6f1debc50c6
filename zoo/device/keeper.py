"""Put a GPU's power limit back when the process that lowered it has ended, however it ended.

    python -P keeper.py NOTE PARENT

A child of that process, run as a script: without torch it is there in a tenth of a second. It has a session
of its own and is deaf to the signals that end a training, so that it is left when nobody else is.
"""

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.25  # between two looks for the parent: its end of the pipe may live on in a loader's worker


def main(path: Path, parent: int) -> None:
    """Wait until the parent writes or dies, put the limit back, and take the note away."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    import pynvml

    note = json.loads(path.read_text())
    pynvml.nvmlInit()
    print("ready", flush=True)
    while os.getppid() == parent and not select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
        pass
    put_back(pynvml, note)
    path.unlink()


def put_back(nvml: Any, note: dict[str, Any]) -> None:
    """Set the limit of before, unless it is set already or somebody has set another one since.

    Raises:
        NVMLError: the driver refuses, or the board is gone.
    """
    board = nvml.nvmlDeviceGetHandleByUUID(note["uuid"])
    if nvml.nvmlDeviceGetPowerManagementLimit(board) == note["lowered_milliwatts"]:
        nvml.nvmlDeviceSetPowerManagementLimit(board, note["before_milliwatts"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
