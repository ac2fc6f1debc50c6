"""MicroNet (Chen et al., 2018): the structure of the author's code. Fire modules (1x1 to a quarter of the
channels; beside each other 1x1 and 3x3 to a half; everything rectified, no bias, no normalisation), dilated
by 1, 1, 2, 3 in each of three encoder stages with 2x2 max-pooling between them, and by 3, 2, 1 in each of
three decoder stages; transposed 2x2 convolutions between those, to which the encoder's map of that size is
added; a 1x1 convolution to the classes.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, transposed


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def fires(stage: str, dilations: tuple[int, ...], x: Tensor) -> Tensor:
        for number, dilation in enumerate(dilations):
            x = F.relu(conv(weights, f"{stage}.{number}.squeeze", x))
            # The 1x1 half comes first, as everywhere since SqueezeNet.
            one = F.relu(conv(weights, f"{stage}.{number}.expand1", x))
            three = F.relu(conv(weights, f"{stage}.{number}.expand3", x, dilation=dilation))
            x = torch.cat([one, three], 1)
        return x

    full = fires("encoder1", (1, 1, 2, 3), image_NCHW)
    half = fires("encoder2", (1, 1, 2, 3), F.max_pool2d(full, 2))
    quarter = fires("encoder3", (1, 1, 2, 3), F.max_pool2d(half, 2))
    x = fires("decoder3", (3, 2, 1), quarter)
    x = fires("decoder2", (3, 2, 1), transposed(weights, "up2", x) + half)
    x = fires("decoder1", (3, 2, 1), transposed(weights, "up1", x) + full)
    return conv(weights, "head", x)
