"""Speeding up Semantic Segmentation for Autonomous Driving (SQNet).

M. Treml, J. Arjona-Medina, T. Unterthiner, R. Durgesh, F. Friedmann, P. Schuberth, A. Mayr, M. Heusel,
M. Hofmarcher, M. Widrich, U. Bodenhofer, B. Nessler, S. Hochreiter, 2016.
NIPS workshop on machine learning for intelligent transportation systems, openreview.net/forum?id=S1uHiFyyg

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 16,229,921 parameters at
one channel in and one class out; no published count is known to us.

A SqueezeNet (F. Iandola et al., arXiv:1602.07360) with ELUs (D.-A. Clevert et al., arXiv:1511.07289) instead
of ReLUs, four parallel dilated convolutions at its deepest, and refined skips. No normalisation at all: the
ELUs are to do without. The layers are those of the study's code, which ends in a sigmoid; this network
returns logits. Initial weights are PyTorch's defaults: fresh logits stay well within -5 and 5, so that no
sigmoid begins saturated.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._input import require_multiple

MULTIPLE = 16


def convolution(in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolve at the same size, then ELU."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2 * dilation, dilation=dilation)
    return nn.Sequential(layer, nn.ELU(inplace=True))


def doubling(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Double the size by a transposed 3x3 convolution."""
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)


class Fire(nn.Module):
    """Squeeze to few channels by 1x1, then expand by 1x1 and 3x3 side by side: 2 · expand channels out."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = convolution(in_channels, squeeze, kernel=1)
        self.expand1 = convolution(squeeze, expand, kernel=1)
        self.expand3 = convolution(squeeze, expand)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2 · expand, H, W)."""
        x = self.squeeze(x)
        return torch.cat((self.expand1(x), self.expand3(x)), dim=1)


class ParallelDilated(nn.Module):
    """See near and far at once: 3x3 convolutions of four dilations, summed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(convolution(channels, channels, dilation=gap) for gap in (1, 2, 3, 4))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        near, *far = (branch(x) for branch in self.branches)
        return sum(far, near)


class Refine(nn.Module):
    """Decode one level: double, join the refined skip, convolve."""

    def __init__(self, in_channels: int, skip: int) -> None:
        super().__init__()
        self.up = doubling(in_channels, skip)
        self.skip = convolution(skip, skip)
        self.join = convolution(2 * skip, 2 * skip)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2 · skip, 2 · H, 2 · W)."""
        return self.join(torch.cat((self.skip(skip), F.elu(self.up(x))), dim=1))


class SQNet(nn.Module):
    """SqueezeNet down to 1/16, a dilated look around, three refining steps and a transposed convolution."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 96, 3, 2, padding=1), nn.ELU(inplace=True))
        self.pool = nn.MaxPool2d(2)
        self.fires1 = nn.Sequential(Fire(96, 16, 64), Fire(128, 16, 64))
        self.fires2 = nn.Sequential(Fire(128, 32, 128), Fire(256, 32, 128))
        self.fires3 = nn.Sequential(Fire(256, 64, 256), Fire(512, 64, 256), Fire(512, 64, 256))
        self.dilated = ParallelDilated(512)
        self.refine1 = Refine(512, skip=256)
        self.refine2 = Refine(512, skip=128)
        self.refine3 = Refine(256, skip=96)
        self.head = doubling(192, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "sqnet")
        skip1 = self.stem(x)  # 96 @ 1/2
        skip2 = self.fires1(self.pool(skip1))  # 128 @ 1/4
        skip3 = self.fires2(self.pool(skip2))  # 256 @ 1/8
        x = self.dilated(self.fires3(self.pool(skip3)))  # 512 @ 1/16
        x = self.refine1(x, skip3)  # 512 @ 1/8
        x = self.refine2(x, skip2)  # 256 @ 1/4
        return self.head(self.refine3(x, skip1))  # from 192 @ 1/2


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an SQNet with fresh weights."""
    return SQNet(in_channels, classes)
