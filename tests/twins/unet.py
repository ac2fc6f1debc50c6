"""U-Net (O. Ronneberger et al., 2015, arXiv:1505.04597): the structure of the paper's figure 1, with padded
convolutions and batch normalisation. Blocks of two 3x3 convolutions, each normalised and rectified; four 2x2
max-poolings down, four transposed 2x2 convolutions up, behind each of which the encoder's map of that size is
concatenated after the enlarged one; a 1x1 convolution to the classes.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, norm, transposed


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def block(name: str, x: Tensor) -> Tensor:
        for convolution, normalisation in ((0, 1), (3, 4)):
            x = F.relu(norm(weights, f"{name}.{normalisation}", conv(weights, f"{name}.{convolution}", x)))
        return x

    x, skips = image_NCHW, []
    for depth in range(4):
        skips.append(block(f"encoder.{depth}", x))
        x = F.max_pool2d(skips[-1], 2)
    x = block("bottleneck", x)
    for step in range(4):
        x = torch.cat([transposed(weights, f"up.{step}", x), skips[3 - step]], 1)
        x = block(f"decoder.{step}", x)
    return conv(weights, "head", x)
