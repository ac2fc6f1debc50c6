"""Squeeze U-Net (N. Beheshti and L. Johnsson, 2020, doi:10.1109/CVPRW50498.2020.00190): the structure of the
paper's figure, in the layout of its public code. Fire modules (1x1, rectified, then normalised; beside each
other 1x1 and 3x3, rectified) in pairs between 3x3 poolings; four transposed 3x3 convolutions, the first two
without a stride, behind each of which a skip is concatenated and a fire module follows. The skips are the
third pair's map and the three pooled ones; the stem's joins after a repetition of pixels, a 3x3 convolution
and another repetition end it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, norm, transposed


def fire(weights: Weights, name: str, x: Tensor) -> Tensor:
    x = norm(weights, f"{name}.squeeze.2", F.relu(conv(weights, f"{name}.squeeze.0", x)))
    # The 1x1 half comes first, as everywhere since SqueezeNet.
    halves = [F.relu(conv(weights, f"{name}.{half}.0", x)) for half in ("expand1", "expand3")]
    return torch.cat(halves, 1)


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def pair(name: str, x: Tensor) -> Tensor:
        return fire(weights, f"{name}.1", fire(weights, f"{name}.0", x))

    def pool(x: Tensor) -> Tensor:
        # Keras would pad below and to the right only, here and in the stem; PyTorch pads all around.
        return F.max_pool2d(x, 3, stride=2, padding=1)

    stem = F.relu(conv(weights, "stem.0", image_NCHW, stride=2))
    quarter = pool(stem)
    eighth = pool(pair("fires1", quarter))
    sixteenth = pool(pair("fires2", eighth))
    deep = pair("fires3", sixteenth)
    x = pair("fires4", deep)
    for step, skip, stride in ((1, deep, 1), (2, sixteenth, 1), (3, eighth, 2), (4, quarter, 2)):
        x = torch.cat([transposed(weights, f"step{step}.up", x, stride), skip], 1)
        x = fire(weights, f"step{step}.fire", x)
    x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), stem], 1)
    x = F.relu(conv(weights, "tail.0", x))
    return conv(weights, "head", F.interpolate(x, scale_factor=2, mode="nearest"))
