"""Attention Squeeze U-Net (A. Pennisi et al., 2022, doi:10.1007/s10278-022-00634-7): the structure of the
paper, the Squeeze U-Net with a gate on each skip but the stem's. Gate: the transposed convolution's map and
the skip, each through a 1x1 convolution and normalised, summed and rectified, through a 1x1 convolution to
one weight per pixel, normalised, a sigmoid; the skip times it stands before the transposed convolution's map.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, norm, transposed


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def fire(name: str, x: Tensor) -> Tensor:
        x = norm(weights, f"{name}.squeeze.2", F.relu(conv(weights, f"{name}.squeeze.0", x)))
        one, three = (F.relu(conv(weights, f"{name}.{half}.0", x)) for half in ("expand1", "expand3"))
        return torch.cat([one, three], 1)

    def gated(name: str, signal: Tensor, skip: Tensor) -> Tensor:
        def normalised(part: str, x: Tensor) -> Tensor:
            return norm(weights, f"{name}.{part}.1", conv(weights, f"{name}.{part}.0", x))

        joined = F.relu(normalised("signal", signal) + normalised("skip", skip))
        return skip * normalised("weight", joined).sigmoid()

    def decoded(step: int, x: Tensor, skip: Tensor, stride: int) -> Tensor:
        up = transposed(weights, f"step{step}.up", x, stride)
        return fire(f"step{step}.fire", torch.cat([gated(f"step{step}.gate", up, skip), up], 1))

    stem = F.relu(conv(weights, "stem.0", image_NCHW, stride=2))
    # Keras would pad below and to the right only, here and in the stem; PyTorch pads all around.
    pool1 = F.max_pool2d(stem, 3, stride=2, padding=1)
    pool2 = F.max_pool2d(fire("fires1.1", fire("fires1.0", pool1)), 3, stride=2, padding=1)
    pool3 = F.max_pool2d(fire("fires2.1", fire("fires2.0", pool2)), 3, stride=2, padding=1)
    deep = fire("fires3.1", fire("fires3.0", pool3))
    x = fire("fires4.1", fire("fires4.0", deep))
    x = decoded(1, x, deep, 1)
    x = decoded(2, x, pool3, 1)
    x = decoded(3, x, pool2, 2)
    x = decoded(4, x, pool1, 2)
    x = F.relu(conv(weights, "tail.0", torch.cat([repeated(x), stem], 1)))
    return conv(weights, "head", repeated(x))


def repeated(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)
