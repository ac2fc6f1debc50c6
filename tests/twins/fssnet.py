"""FSSNet (X. Zhang et al., 2018, doi:10.1109/TII.2018.2849348): the structure of the paper. Every unit adds a
side branch to a main one and rectifies the sum. Halving: main 2x2 pooling and 1x1; side 2x2, 3x3, 1x1, each
normalised and rectified. Residual: side 1x1, then 3x1 and 1x3 at 1/4 or a dilated 3x3 elsewhere, then 1x1
without a rectifier. Doubling: main adds what the matching halving gave, then 1x1, normalised, and bilinear;
side 1x1, transposed 2x2, 1x1, each normalised and rectified.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, enlarged, norm, transposed


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def step(convolution: str, normalisation: str, x: Tensor, dilation: int = 1, stride: int = 1) -> Tensor:
        return F.relu(norm(weights, normalisation, conv(weights, convolution, x, stride, dilation)))

    def down(name: str, x: Tensor) -> Tensor:
        # Taken from our own network, the paper's text being silent: the pooling takes the maximum.
        main = conv(weights, f"{name}.main.1", F.max_pool2d(x, 2))
        side = step(f"{name}.side.0", f"{name}.side.1", x, stride=2)
        side = step(f"{name}.side.3.0", f"{name}.side.3.1", side)
        side = step(f"{name}.side.4.0", f"{name}.side.4.1", side)
        return F.relu(main + side)

    def factorised(stage: str, number: int, x: Tensor) -> Tensor:
        y, side = x, f"{stage}.{number}.side"
        for layer, kernel in enumerate(((1, 1), (3, 1), (1, 3))):
            assert weights[f"{side}.{layer}.0.weight"].shape[2:] == kernel
            y = step(f"{side}.{layer}.0", f"{side}.{layer}.1", y)
        return F.relu(x + norm(weights, f"{side}.4", conv(weights, f"{side}.3", y)))

    def dilated(stage: str, number: int, dilation: int, x: Tensor) -> Tensor:
        side = f"{stage}.{number}.side"
        y = step(f"{side}.0.0", f"{side}.0.1", x)
        y = step(f"{side}.1.0", f"{side}.1.1", y, dilation)
        return F.relu(x + norm(weights, f"{side}.3", conv(weights, f"{side}.2", y)))

    def up(name: str, x: Tensor, echo: Tensor) -> Tensor:
        main = enlarged(norm(weights, f"{name}.main.1", conv(weights, f"{name}.main.0", x + echo)), 2)
        side = step(f"{name}.side.0.0", f"{name}.side.0.1", x)
        side = F.relu(norm(weights, f"{name}.side.2", transposed(weights, f"{name}.side.1", side)))
        side = step(f"{name}.side.4.0", f"{name}.side.4.1", side)
        return F.relu(main + side)

    beside = step("initial.convolution.0", "initial.convolution.1", image_NCHW, stride=2)
    x = torch.cat([beside, F.max_pool2d(image_NCHW, 2)], 1)
    x = quarter = down("down1", x)
    for number in range(4):
        x = factorised("stage1", number, x)
    x = eighth = down("down2", x)
    for number, dilation in enumerate((2, 5, 9, 2, 5, 9)):
        x = dilated("stage2", number, dilation, x)
    x = up("up3", x, eighth)
    for number in range(2):
        x = dilated("stage3", number, 1, x)
    x = up("up4", x, quarter)
    for number in range(2):
        x = dilated("stage4", number, 1, x)
    return transposed(weights, "head", x)
