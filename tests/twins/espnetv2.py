"""ESPNetv2 (S. Mehta et al., 2018, arXiv:1811.11431): the structure of the paper's figures 1 and 2 and of the
authors' segmentation network, at width 2. A pyramid: grouped 1x1, four depthwise 3x3 of growing dilation,
each added to the one before, concatenated, normalised, PReLU, grouped 1x1. Halving: the average-pooled map
before a strided pyramid, plus a reminder of the average-pooled image. Head: the map at 1/16 joins at 1/8
through one more pyramid and a pyramid of poolings; what that says of the classes joins the map at 1/4, and
that in turn the map at 1/2.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, enlarged, norm, prelu

WIDE, NARROW = (1, 2, 3, 4), (1, 1, 2, 3)  # kernels of 3, 5, 7, 9, or of 7 at most: the wider one back to 3


def halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=2, padding=1)


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def unit(convolution: str, normalisation: str, slopes: str, x: Tensor, stride: int = 1) -> Tensor:
        return prelu(weights, slopes, norm(weights, normalisation, conv(weights, convolution, x, stride)))

    def pyramid(name: str, dilations: tuple[int, ...], x: Tensor, stride: int = 1) -> Tensor:
        x = conv(weights, f"{name}.reduce.0", x, groups=4)
        x = prelu(weights, f"{name}.reduce.2", norm(weights, f"{name}.reduce.1", x))
        branches = [
            conv(weights, f"{name}.branches.{branch}", x, stride, dilation, x.shape[1])
            for branch, dilation in enumerate(dilations)
        ]
        x = torch.cat([sum(branches[1 : last + 1], branches[0]) for last in range(4)], 1)
        x = prelu(weights, f"{name}.activation.1", norm(weights, f"{name}.activation.0", x))
        return norm(weights, f"{name}.merge.1", conv(weights, f"{name}.merge.0", x, groups=4))

    def eesp(name: str, dilations: tuple[int, ...], x: Tensor) -> Tensor:
        y = pyramid(f"{name}.pyramid", dilations, x)
        return prelu(weights, f"{name}.activation", x + y if x.shape == y.shape else y)

    def down(name: str, x: Tensor, image: Tensor) -> Tensor:
        y = torch.cat([halved(x), pyramid(f"{name}.pyramid", WIDE, x, stride=2)], 1)
        reminder = unit(f"{name}.reminder.0", f"{name}.reminder.1", f"{name}.reminder.2", image)
        reminder = norm(weights, f"{name}.reminder.4", conv(weights, f"{name}.reminder.3", reminder))
        return prelu(weights, f"{name}.activation", y + reminder)

    # The image gets to each size by the same 3x3 averages, one after the other.
    image_half = halved(image_NCHW)
    image_quarter = halved(image_half)
    image_eighth = halved(image_quarter)
    image_sixteenth = halved(image_eighth)

    half = unit("stem.0", "stem.1", "stem.2", image_NCHW, stride=2)
    quarter = down("down2", half, image_quarter)
    eighth = down("down3", quarter, image_eighth)
    for number in range(3):
        eighth = eesp(f"stage3.{number}", WIDE, eighth)
    sixteenth = down("down4", eighth, image_sixteenth)
    for number in range(7):
        sixteenth = eesp(f"stage4.{number}", NARROW, sixteenth)

    # As in the authors' code, for the text says neither: the shallower map stands first in a concatenation,
    # and every enlargement aligns the corners.
    x = enlarged(unit("project4.0", "project4.1", "project4.2", sixteenth), 2)
    x = eesp("merge3", NARROW, torch.cat([eighth, x], 1))
    levels, pooled = [x], x
    for level in range(4):
        pooled = halved(pooled)
        seen = conv(weights, f"pyramid.levels.{level}", pooled, groups=pooled.shape[1])
        levels.append(F.interpolate(seen, x.shape[2:], mode="bilinear", align_corners=True))
    x = unit("pyramid.project.0", "pyramid.project.1", "pyramid.project.2", torch.cat(levels, 1))
    x = unit("project3.1", "project3.2", "project3.3", x)
    x = unit("project2.0", "project2.1", "project2.2", torch.cat([quarter, enlarged(x, 2)], 1))
    x = conv(weights, "head.1", torch.cat([half, enlarged(x, 2)], 1))
    return enlarged(x, 2)
