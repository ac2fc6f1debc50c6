"""DABNet: Depth-wise Asymmetric Bottleneck for Real-time Semantic Segmentation.

G. Li, I. Yun, J. Kim, J. Kim, 2019. arXiv:1907.11357

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 749,153 parameters at one
channel in and one class out. At three channels and nineteen classes there are 756,643: the paper's 0.76 M.

Layout as in the paper and in the authors' code. The study's code is the same network, but ends in a sigmoid;
this network returns logits. Initial weights are PyTorch's defaults.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution
from zoo.architectures._halving import Halving
from zoo.architectures._input import require_multiple

MULTIPLE = 8

# Pruning leaves these layers whole: what they make is joined to the image itself, and torch-pruning counts
# the image's channels as theirs.
WHOLE = ("stem.2.0", "down1.0.convolution", "down2.0")

EPSILON = 1e-3  # of batch normalisation, in the authors' code


def activation(channels: int) -> nn.Sequential:
    """Normalise and rectify, with a slope per channel."""
    return nn.Sequential(nn.BatchNorm2d(channels, eps=EPSILON), nn.PReLU(channels))


def activated(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Convolve 3x3 without bias, normalise, rectify."""
    return nn.Sequential(convolution(in_channels, out_channels, stride=stride), activation(out_channels))


def asymmetric(channels: int, dilation: int = 1) -> nn.Sequential:
    """Convolve each channel 3x3 in two steps, column and row."""
    column = convolution(channels, channels, (3, 1), dilation=dilation, groups=channels)
    row = convolution(channels, channels, (1, 3), dilation=dilation, groups=channels)
    return nn.Sequential(column, activation(channels), row, activation(channels))


class Block(nn.Module):
    """DAB module: half the channels, seen nearby and dilated, summed, and added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        width = channels // 2
        self.entry = nn.Sequential(activation(channels), activated(channels, width))
        self.near, self.wide = asymmetric(width), asymmetric(width, dilation)
        self.leave = nn.Sequential(activation(width), convolution(width, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        y = self.entry(x)
        return x + self.leave(self.near(y) + self.wide(y))


class DABNet(nn.Module):
    """Halve three times, reminding of the image each time, and classify at 1/8; no decoder."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.stem = nn.Sequential(activated(in_channels, 32, stride=2), activated(32, 32), activated(32, 32))
        self.join1 = activation(32 + in_channels)
        self.down1 = nn.Sequential(Halving(32 + in_channels, 64, bias=False), activation(64))
        self.stage1 = nn.Sequential(*(Block(64, dilation=2) for _ in range(3)))
        self.join2 = activation(64 + 64 + in_channels)
        self.down2 = activated(64 + 64 + in_channels, 128, stride=2)
        self.stage2 = nn.Sequential(*(Block(128, dilation) for dilation in (4, 4, 8, 8, 16, 16)))
        self.join3 = activation(128 + 128 + in_channels)
        self.head = convolution(128 + 128 + in_channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "dabnet")
        size, half = x.shape[-2:], self.average(x)
        quarter = self.average(half)
        x = self.join1(torch.cat((self.stem(x), half), dim=1))  # 33 @ 1/2, if the image has one channel
        first = self.down1(x)  # 64 @ 1/4
        x = self.join2(torch.cat((self.stage1(first), first, quarter), dim=1))  # 129 @ 1/4
        first = self.down2(x)  # 128 @ 1/8
        x = self.join3(torch.cat((self.stage2(first), first, self.average(quarter)), dim=1))  # 257 @ 1/8
        return F.interpolate(self.head(x), size, mode="bilinear", align_corners=False)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a DABNet with fresh weights."""
    return DABNet(in_channels, classes)
