"""Feature Pyramid Encoding Network for Real-time Semantic Segmentation (FPENet).

M. Liu, H. Yin, 2019. arXiv:1909.08599

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 345,603 parameters at one
channel in and one class out. At three channels and nineteen classes there are 346,485; the paper says 0.4 M.

Every block of stages 2 and 3 expands its channels fourfold. The study's code lets all but the first of a
stage fall back to no expansion, which leaves 114,243 parameters, less than a third of the published count; it
also ends in a sigmoid, this network in logits. Initial weights are PyTorch's defaults.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution, rectified
from zoo.architectures._input import require_multiple

MULTIPLE = 8
EXPANSION = 4
DILATIONS = (1, 2, 4, 8)


def normalised(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Project by 1x1 without bias, and normalise."""
    return nn.Sequential(convolution(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


class Block(nn.Module):
    """Feature pyramid encoding: a quarter of the channels per dilation, each fed what the one before saw."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int = EXPANSION, stride: int = 1):
        super().__init__()
        width = expansion * in_channels
        part = width // len(DILATIONS)
        self.entry = rectified(in_channels, width, 1, stride)
        self.pyramid = nn.ModuleList(
            rectified(part, part, dilation=dilation, groups=part) for dilation in DILATIONS
        )
        self.leave = normalised(width, out_channels)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else normalised(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        parts = self.entry(x).chunk(len(DILATIONS), dim=1)
        maps = [self.pyramid[0](parts[0])]
        for level, part in zip(self.pyramid[1:], parts[1:], strict=True):
            maps.append(level(part + maps[-1]))
        return (self.leave(torch.cat(maps, dim=1)) + self.shortcut(x)).relu()


class Stage(nn.Module):
    """Halve in the first block, go on in the others, and give the sum of the first's and the last's map."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int) -> None:
        super().__init__()
        self.first = Block(in_channels, out_channels, stride=2)
        self.rest = nn.Sequential(*(Block(out_channels, out_channels) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / 2, W / 2)."""
        first = self.first(x)
        return first + self.rest(first)


class Mutual(nn.Module):
    """Mutual embedding up-sampling: the deep map weighs the flat one's channels, the flat one its pixels."""

    def __init__(self, high: int, low: int, channels: int) -> None:
        super().__init__()
        self.low, self.high = normalised(low, channels), normalised(high, channels)
        self.spatial = convolution(1, 1, 1)
        self.channel = convolution(channels, channels, 1)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Map (N, high, H / 2, W / 2) and (N, low, H, W) to (N, channels, H, W)."""
        low, high = self.low(low), self.high(high)
        pixels = self.spatial(low.mean(dim=1, keepdim=True)).sigmoid()
        channels = self.channel(high.mean(dim=(2, 3), keepdim=True)).relu().sigmoid()
        high = F.interpolate(high, low.shape[-2:], mode="bilinear", align_corners=True)
        return channels * low + pixels * high


class FPENet(nn.Module):
    """Encode a pyramid in each of three stages, and embed the deep into the flat twice."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.stem = rectified(in_channels, 16, stride=2)
        self.stage1 = Block(16, 16, expansion=1)
        self.stage2 = Stage(16, 32, blocks=3)
        self.stage3 = Stage(32, 64, blocks=9)
        self.up2 = Mutual(high=64, low=32, channels=64)
        self.up1 = Mutual(high=64, low=16, channels=32)
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "fpenet")
        size = x.shape[-2:]
        skip1 = self.stage1(self.stem(x))  # 16 @ 1/2
        skip2 = self.stage2(skip1)  # 32 @ 1/4
        x = self.up2(self.stage3(skip2), skip2)  # 64 @ 1/4, from 64 @ 1/8
        x = self.up1(x, skip1)  # 32 @ 1/2
        return F.interpolate(self.head(x), size, mode="bilinear", align_corners=True)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an FPENet with fresh weights."""
    return FPENet(in_channels, classes)
