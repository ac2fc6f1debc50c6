"""Work of the suite whose amount is known, for `python -m energy calibrate --fit`: convolutions on one CPU.

    python -m energy calibrate --fit --known-work "python -m benchmarks.known_work bf16"

A 3 x 3 convolution of 64 channels at 128 px, as in the middle of a U-Net, on all threads that torch takes,
for ten seconds or as many as are given. It prints what it has done as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch.nn import functional as F

from benchmarks.work import TYPES

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
BATCH, CHANNELS, SIDE, KERNEL = 4, 64, 128, 3
MACS = BATCH * CHANNELS**2 * KERNEL**2 * SIDE**2


def convolve(kind: str, seconds: float) -> dict[str, float]:
    """Return the multiply-accumulates and bytes of so many seconds of convolutions.

    Args:
        kind: data type, one of `benchmarks.work.TYPES`.
        seconds: how long.
    """
    image_NCHW = torch.rand(BATCH, CHANNELS, SIDE, SIDE, dtype=DTYPES[kind])
    weights = torch.rand(CHANNELS, CHANNELS, KERNEL, KERNEL, dtype=DTYPES[kind])
    number, started = 0, time.monotonic()
    with torch.inference_mode():
        while time.monotonic() - started < seconds:
            F.conv2d(image_NCHW, weights, padding=KERNEL // 2)
            number += 1
    moved = 2.0 * image_NCHW.numel() * TYPES[kind]  # one image is read, and one of its size written
    return {f"macs_{kind}": float(number * MACS), "bytes_moved": number * moved}


if __name__ == "__main__":
    print(json.dumps(convolve(sys.argv[1], float((*sys.argv[2:], "10")[0]))))
