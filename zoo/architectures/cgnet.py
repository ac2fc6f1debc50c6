"""CGNet: A Light-weight Context Guided Network for Semantic Segmentation.

T. Wu, S. Tang, R. Zhang, Y. Zhang, 2018. arXiv:1811.08201, doi:10.1109/TIP.2020.3042065

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 487,654 parameters at one
channel in and one class out. At three channels and nineteen classes there are 496,306; the paper says less
than 0.5 M.

The paper's M3N21: three blocks at 1/4, twenty-one at 1/8, as in the authors' code. The gates' fully connected
layers are written as 1x1 convolutions of the averaged map, which they are. The study's code is the same
network, but ends in a sigmoid; this network returns logits. Initial weights are PyTorch's defaults.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution
from zoo.architectures._input import require_multiple

MULTIPLE = 8
UNPRUNABLE = (
    "down3.layers.1.near and its pair .around read the same channels, one filter each, and are joined; "
    "a channel of the join would be taken from both, and the filters no longer fit"
)
EPSILON = 1e-3  # of batch normalisation, in the authors' code


def activation(channels: int) -> nn.Sequential:
    """Normalise and rectify, with a slope per channel."""
    return nn.Sequential(nn.BatchNorm2d(channels, eps=EPSILON), nn.PReLU(channels))


def activated(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolve without bias, normalise, rectify."""
    return nn.Sequential(convolution(in_channels, out_channels, kernel, stride), activation(out_channels))


class Surround(nn.Module):
    """See each channel nearby and in its surroundings: (N, C, H, W) to (N, 2 · C, H, W)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.near = convolution(channels, channels, groups=channels)
        self.around = convolution(channels, channels, dilation=dilation, groups=channels)
        self.activation = activation(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return both views, joined and activated."""
        return self.activation(torch.cat((self.near(x), self.around(x)), dim=1))


class Gate(nn.Module):
    """Weigh each channel between 0 and 1 by what the whole slice shows."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.weight = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (N, channels, H, W), weighted."""
        return x * self.weight(x.mean(dim=(2, 3), keepdim=True))


class Down(nn.Module):
    """Context guided block that halves, and keeps no residual."""

    def __init__(self, in_channels: int, channels: int, dilation: int, reduction: int) -> None:
        super().__init__()
        entry = activated(in_channels, channels, stride=2)
        leave = convolution(2 * channels, channels, 1)
        self.layers = nn.Sequential(entry, Surround(channels, dilation), leave, Gate(channels, reduction))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / 2, W / 2)."""
        return self.layers(x)


class Block(nn.Module):
    """Context guided block: near and surrounding features of half the channels, gated, added to the input."""

    def __init__(self, channels: int, dilation: int, reduction: int) -> None:
        super().__init__()
        entry, surround = activated(channels, channels // 2, 1), Surround(channels // 2, dilation)
        self.layers = nn.Sequential(entry, surround, Gate(channels, reduction))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        return x + self.layers(x)


class CGNet(nn.Module):
    """Halve three times, reminding of the image at 1/2 and 1/4, and classify at 1/8; no decoder."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.stage1 = nn.Sequential(
            activated(in_channels, 32, stride=2), activated(32, 32), activated(32, 32)
        )
        self.join1 = activation(32 + in_channels)
        self.down2 = Down(32 + in_channels, 64, dilation=2, reduction=8)
        self.stage2 = nn.Sequential(*(Block(64, dilation=2, reduction=8) for _ in range(2)))
        self.join2 = activation(64 + 64 + in_channels)
        self.down3 = Down(64 + 64 + in_channels, 128, dilation=4, reduction=16)
        self.stage3 = nn.Sequential(*(Block(128, dilation=4, reduction=16) for _ in range(20)))
        self.join3 = activation(128 + 128)
        self.head = convolution(256, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "cgnet")
        size, half = x.shape[-2:], self.average(x)
        quarter = self.average(half)
        x = self.join1(torch.cat((self.stage1(x), half), dim=1))  # 33 @ 1/2, if the image has one channel
        first = self.down2(x)  # 64 @ 1/4
        x = self.join2(torch.cat((self.stage2(first), first, quarter), dim=1))  # 129 @ 1/4
        first = self.down3(x)  # 128 @ 1/8
        x = self.join3(torch.cat((first, self.stage3(first)), dim=1))  # 256 @ 1/8
        return F.interpolate(self.head(x), size, mode="bilinear", align_corners=False)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a CGNet with fresh weights."""
    return CGNet(in_channels, classes)
