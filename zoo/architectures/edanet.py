"""Efficient Dense Modules of Asymmetric Convolution for Real-Time Semantic Segmentation (EDANet).

S.-Y. Lo, H.-M. Hang, S.-W. Chan, J.-J. Lin, 2018. arXiv:1809.06323, doi:10.1145/3338533.3366558

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 681,171 parameters at one
channel in and one class out. At three channels and nineteen classes there are 689,485; the paper says 0.68 M.

Layout and initial weights (normal, deviation 0.02) are those of the authors' code. The logits are computed
at 1/8 and enlarged bilinearly, corners aligned, in training too. The study's code is the same network, but
ends in a sigmoid; this network returns logits.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution
from zoo.architectures._halving import Halving
from zoo.architectures._input import require_multiple

MULTIPLE = 8
GROWTH = 40
DROP = 0.02
DEVIATION = 0.02  # of the initial weights


def down(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve by a strided convolution, beside a pooling where channels are gained."""
    norm = nn.BatchNorm2d(out_channels)
    return nn.Sequential(Halving(in_channels, out_channels), norm, nn.ReLU(inplace=True))


def asymmetric(dilation: int) -> list[nn.Module]:
    """Convolve 3x3 in two steps, column and row, with nothing in between."""
    column = convolution(GROWTH, GROWTH, (3, 1), dilation=dilation, bias=True)
    row = convolution(GROWTH, GROWTH, (1, 3), dilation=dilation, bias=True)
    return [column, row, nn.BatchNorm2d(GROWTH), nn.ReLU(inplace=True)]


class Module(nn.Module):
    """EDA module: put 40 new channels, seen ever wider, in front of those there are."""

    def __init__(self, in_channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(in_channels, GROWTH, 1, bias=True),
            nn.BatchNorm2d(GROWTH),
            nn.ReLU(inplace=True),
            *asymmetric(1),
            *asymmetric(dilation),
            nn.Dropout2d(DROP),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 40 + in_channels, H, W)."""
        return torch.cat((self.layers(x), x), dim=1)


def block(in_channels: int, dilations: tuple[int, ...]) -> nn.Sequential:
    """Stack EDA modules, densely connected: each adds 40 channels."""
    return nn.Sequential(
        *(Module(in_channels + GROWTH * position, dilation) for position, dilation in enumerate(dilations))
    )


class EDANet(nn.Module):
    """Halve three times, gathering 200 channels at 1/4 and 320 at 1/8, and project; no decoder."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.down1 = down(in_channels, 15)
        self.down2 = down(15, 60)
        self.block1 = block(60, (1, 1, 1, 2, 2))
        self.down3 = down(260, 130)
        self.block2 = block(130, (2, 2, 4, 4, 8, 8, 16, 16))
        self.head = nn.Conv2d(450, classes, 1)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "edanet")
        size = x.shape[-2:]
        x = self.block1(self.down2(self.down1(x)))  # 260 @ 1/4
        x = self.block2(self.down3(x))  # 450 @ 1/8
        return F.interpolate(self.head(x), size, mode="bilinear", align_corners=True)


def initialise(layer: nn.Module) -> None:
    """Draw the weights as the authors did."""
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0, DEVIATION)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1, DEVIATION)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an EDANet with fresh weights."""
    return EDANet(in_channels, classes)
