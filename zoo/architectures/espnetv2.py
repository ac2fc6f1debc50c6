"""ESPNetv2: A Light-weight, Power Efficient, and General Purpose Convolutional Neural Network.

S. Mehta, M. Rastegari, L. Shapiro, H. Hajishirzi, 2018. arXiv:1811.11431, doi:10.1109/CVPR.2019.00941

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 1,241,140 parameters at
one channel in and one class out. At three channels and nineteen classes there are 1,252,058; the authors give
0.79 M for a later network of theirs with a smaller decoder, and none for this one.

The width is s = 2, the study's. The segmentation head is that of the authors' first code, without the second
map, enlarged eightfold, with which they train. Differences from that code and the study's: the halving units
carry no activation that nothing reads (480 parameters that get no gradient), and logits are returned instead
of the study's sigmoid. All bilinear steps align the corners. Initial weights are PyTorch's defaults.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution
from zoo.architectures._input import require_multiple

MULTIPLE = 8
UNPRUNABLE = "head.1 joins the stem with upsampled answers, whose number of channels it does not find"
BRANCHES = 4
DROP = 0.2
WIDE, NARROW = (1, 2, 3, 4), (1, 1, 2, 3)  # dilations, where the map is large, and where it is small


def activated(channels: int) -> list[nn.Module]:
    """Normalise and rectify, with a slope per channel."""
    return [nn.BatchNorm2d(channels), nn.PReLU(channels)]


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Enlarge bilinearly to the size of another map."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


class Pyramid(nn.Module):
    """EESP without its activation: a depthwise pyramid of dilations between two grouped 1x1 convolutions."""

    def __init__(self, in_channels: int, out_channels: int, dilations: tuple[int, ...], stride: int = 1):
        super().__init__()
        width = out_channels // BRANCHES
        self.reduce = nn.Sequential(convolution(in_channels, width, 1, groups=BRANCHES), *activated(width))
        self.branches = nn.ModuleList(
            convolution(width, width, 3, stride, dilation, groups=width) for dilation in dilations
        )
        self.activation = nn.Sequential(*activated(out_channels))
        merge = convolution(out_channels, out_channels, 1, groups=BRANCHES)
        self.merge = nn.Sequential(merge, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        x = self.reduce(x)
        maps = [self.branches[0](x)]
        for branch in self.branches[1:]:
            maps.append(branch(x) + maps[-1])  # hierarchical fusion, against the gridding of wide dilations
        return self.merge(self.activation(torch.cat(maps, dim=1)))


class Unit(nn.Module):
    """EESP unit: the pyramid, added to the input where the channels are as many, then activated."""

    def __init__(self, in_channels: int, out_channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.pyramid = Pyramid(in_channels, out_channels, dilations)
        self.activation = nn.PReLU(out_channels)
        self.residual = in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        y = self.pyramid(x)
        return self.activation(x + y if self.residual else y)


class Down(nn.Module):
    """Strided EESP: halve by averaging beside a strided pyramid, and remind of the image."""

    def __init__(self, image: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.pyramid = Pyramid(in_channels, out_channels - in_channels, WIDE, stride=2)
        expand = (convolution(image, out_channels, 1), nn.BatchNorm2d(out_channels))
        self.reminder = nn.Sequential(convolution(image, image), *activated(image), *expand)
        self.activation = nn.PReLU(out_channels)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / 2, W / 2), given the image at that size."""
        x = torch.cat((self.average(x), self.pyramid(x)), dim=1)
        return self.activation(x + self.reminder(image))


class Spatial(nn.Module):
    """Pyramid pooling: see the map at five scales, each half the one before, and project."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.levels = nn.ModuleList(convolution(channels, channels, groups=channels) for _ in range(4))
        self.project = nn.Sequential(convolution(5 * channels, channels, 1), *activated(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        maps, pooled = [x], x
        for level in self.levels:
            pooled = self.average(pooled)
            maps.append(resize(level(pooled), x))
        return self.project(torch.cat(maps, dim=1))


class ESPNetv2(nn.Module):
    """Halve four times, pool a pyramid at 1/8, project to the classes, and go up with them level by level."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(in_channels, 32, stride=2), *activated(32))
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.down2 = Down(in_channels, 32, 128)
        self.down3 = Down(in_channels, 128, 256)
        self.stage3 = nn.Sequential(*(Unit(256, 256, WIDE) for _ in range(3)))
        self.down4 = Down(in_channels, 256, 512)
        self.stage4 = nn.Sequential(*(Unit(512, 512, NARROW) for _ in range(7)))
        self.project4 = nn.Sequential(convolution(512, 256, 1), *activated(256))
        self.merge3 = Unit(512, 256, NARROW)
        self.pyramid = Spatial(256)
        self.project3 = nn.Sequential(nn.Dropout2d(DROP), convolution(256, classes, 1), *activated(classes))
        self.project2 = nn.Sequential(convolution(128 + classes, classes, 1), *activated(classes))
        self.head = nn.Sequential(nn.Dropout2d(DROP), convolution(32 + classes, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "espnetv2")
        half = self.average(x)
        quarter = self.average(half)
        eighth = self.average(quarter)
        skip1 = self.stem(x)  # 32 @ 1/2
        skip2 = self.down2(skip1, quarter)  # 128 @ 1/4
        skip3 = self.stage3(self.down3(skip2, eighth))  # 256 @ 1/8
        deep = self.stage4(self.down4(skip3, self.average(eighth)))  # 512 @ 1/16
        y = torch.cat((skip3, resize(self.project4(deep), skip3)), dim=1)
        y = self.project3(self.pyramid(self.merge3(y)))  # classes @ 1/8
        y = self.project2(torch.cat((skip2, resize(y, skip2)), dim=1))  # classes @ 1/4
        y = self.head(torch.cat((skip1, resize(y, skip1)), dim=1))  # classes @ 1/2
        return resize(y, x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an ESPNetv2 of width s = 2 with fresh weights."""
    return ESPNetv2(in_channels, classes)
