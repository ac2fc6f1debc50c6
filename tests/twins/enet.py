"""ENet (A. Paszke et al., 2016, arXiv:1606.02147): the structure of the paper's table 1 and figure 2, in the
layout of the authors' own code. A bottleneck's side branch (1x1, or 2x2 when it halves, to a quarter of the
channels out; the main convolution; 1x1) is added to its main branch; halving, that one is 2x2 max-pooling
with zero channels behind, doubling, a 1x1 convolution un-pooled to the places of the maxima of the matching
halving. Normalisation, then activation (PReLU in the encoder, ReLU in the decoder), but none between the last
normalisation and the sum.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, norm, prelu, transposed

EPSILON = 1e-3
REGULAR, ASYMMETRIC = 1, 0
SECTION = (REGULAR, 2, ASYMMETRIC, 4, REGULAR, 8, ASYMMETRIC, 16)  # a number is the dilation


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def activated(name: str, x: Tensor) -> Tensor:
        """The decoder has no slopes."""
        return prelu(weights, name, x) if f"{name}.weight" in weights else F.relu(x)

    def bottleneck(name: str, main: Tensor, entered: Tensor, kind: int | str) -> Tensor:
        x = activated(f"{name}.side.2", norm(weights, f"{name}.side.1", entered, EPSILON))
        if kind == ASYMMETRIC:
            x = conv(weights, f"{name}.side.3.1", conv(weights, f"{name}.side.3.0", x))
        elif kind == "up":
            x = transposed(weights, f"{name}.side.3", x)
        else:
            x = conv(weights, f"{name}.side.3", x, dilation=kind)
        x = activated(f"{name}.side.5", norm(weights, f"{name}.side.4", x, EPSILON))
        x = norm(weights, f"{name}.side.7", conv(weights, f"{name}.side.6", x), EPSILON)
        return activated(f"{name}.activation", main + x)

    def keep(stage: str, kinds: tuple[int, ...], x: Tensor) -> Tensor:
        for number, kind in enumerate(kinds):
            name = f"{stage}.{number}"
            x = bottleneck(name, x, conv(weights, f"{name}.side.0", x), kind)
        return x

    def down(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        out = weights[f"{name}.side.6.weight"].shape[0]
        main = torch.cat([pooled, pooled.new_zeros(len(x), out - x.shape[1], *pooled.shape[2:])], 1)
        return bottleneck(name, main, conv(weights, f"{name}.side.0", x, stride=2), REGULAR), places

    def up(name: str, x: Tensor, places: Tensor) -> Tensor:
        main = norm(weights, f"{name}.main.1", conv(weights, f"{name}.main.0", x), EPSILON)
        return bottleneck(name, F.max_unpool2d(main, places, 2), conv(weights, f"{name}.side.0", x), "up")

    beside = conv(weights, "initial.0.convolution", image_NCHW, stride=2)
    x = torch.cat([beside, F.max_pool2d(image_NCHW, 2)], 1)
    x = activated("initial.2", norm(weights, "initial.1", x, EPSILON))
    x, first = down("down1", x)
    x = keep("stage1", (REGULAR,) * 4, x)
    x, second = down("down2", x)
    x = keep("stage3", SECTION, keep("stage2", SECTION, x))
    x = keep("stage4", (REGULAR,) * 2, up("up4", x, second))
    x = up("up5", x, first)
    x = bottleneck("stage5", x, conv(weights, "stage5.side.0", x), REGULAR)
    return transposed(weights, "head", x)
