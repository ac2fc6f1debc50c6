"""Fast Semantic Segmentation for Scene Perception (FSSNet).

X. Zhang, Z. Chen, Q. M. J. Wu, L. Cai, D. Lu, X. Li, 2018.
IEEE Transactions on Industrial Informatics 15, 1183-1192, doi:10.1109/TII.2018.2849348

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 173,077 parameters at one
channel in and one class out. At three channels and nineteen classes there are 175,881: the paper's 0.2 M.

A relative of ENet without its un-pooling: consecutive factorised blocks at 1/4, consecutive dilated ones at
1/8, and a decoder that hears what the encoder's halvings gave out. The layout is that of the study's code,
which ends in a sigmoid; this network returns logits. What the text leaves open: the pooling takes the
maximum, dropout silences whole channels, and the decoder's blocks drop as much as its doublings (0.3).
Initial weights are PyTorch's defaults.
"""

import torch
from torch import Tensor, nn

from zoo.architectures._convolutions import convolution, rectified
from zoo.architectures._input import require_multiple

MULTIPLE = 8
EARLY, LATE = 0.03, 0.3  # dropout at 1/4 on the way down, and everywhere after


class Initial(nn.Module):
    """Halve the image: convolve it to what is missing of 16 channels, and keep it, pooled, beside them."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        new = 16 - in_channels if in_channels < 16 else 16
        self.convolution = rectified(in_channels, new, stride=2)
        self.pool = nn.MaxPool2d(2) if new < 16 else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 16, H / 2, W / 2)."""
        if self.pool is None:
            return self.convolution(x)
        return torch.cat((self.convolution(x), self.pool(x)), dim=1)


class Down(nn.Module):
    """Halve: pool and project, and add a strided bottleneck."""

    def __init__(self, in_channels: int, channels: int, drop: float) -> None:
        super().__init__()
        width = in_channels // 4
        self.main = nn.Sequential(nn.MaxPool2d(2), convolution(in_channels, channels, 1))
        self.side = nn.Sequential(
            nn.Conv2d(in_channels, width, 2, stride=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            rectified(width, width),
            rectified(width, channels, 1),
            nn.Dropout2d(drop),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / 2, W / 2)."""
        return (self.main(x) + self.side(x)).relu()


class Block(nn.Module):
    """Add to the input what the middle layers make of a quarter of its channels."""

    def __init__(self, channels: int, middle: list[nn.Module], drop: float) -> None:
        super().__init__()
        width = channels // 4
        leave = [convolution(width, channels, 1), nn.BatchNorm2d(channels), nn.Dropout2d(drop)]
        self.side = nn.Sequential(rectified(channels, width, 1), *middle, *leave)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        return (x + self.side(x)).relu()


def factorised(channels: int) -> Block:
    """Look 3 pixels far, by column and row."""
    width = channels // 4
    return Block(channels, [rectified(width, width, (3, 1)), rectified(width, width, (1, 3))], EARLY)


def dilated(channels: int, dilation: int = 1) -> Block:
    """Look 2 · dilation + 1 pixels far."""
    width = channels // 4
    return Block(channels, [rectified(width, width, dilation=dilation)], LATE)


class Up(nn.Module):
    """Double: project the map and its echo from the encoder, enlarge, and add a transposed bottleneck."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        width = in_channels // 4
        self.main = nn.Sequential(
            convolution(in_channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        )
        self.side = nn.Sequential(
            rectified(in_channels, width, 1),
            nn.ConvTranspose2d(width, width, 2, stride=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            rectified(width, channels, 1),
            nn.Dropout2d(LATE),
        )

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """Map two of (N, in_channels, H, W) to (N, channels, 2 · H, 2 · W); only the main way hears both."""
        return (self.main(x + echo) + self.side(x)).relu()


class FSSNet(nn.Module):
    """Halve three times, look ever wider at 1/8, and double three times."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.initial = Initial(in_channels)
        self.down1 = Down(16, 64, EARLY)
        self.stage1 = nn.Sequential(*(factorised(64) for _ in range(4)))
        self.down2 = Down(64, 128, LATE)
        self.stage2 = nn.Sequential(*(dilated(128, dilation) for dilation in (2, 5, 9) * 2))
        self.up3 = Up(128, 64)
        self.stage3 = nn.Sequential(dilated(64), dilated(64))
        self.up4 = Up(64, 16)
        self.stage4 = nn.Sequential(dilated(16), dilated(16))
        self.head = nn.ConvTranspose2d(16, classes, 3, stride=2, padding=1, output_padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "fssnet")
        skip1 = self.down1(self.initial(x))  # 64 @ 1/4
        skip2 = self.down2(self.stage1(skip1))  # 128 @ 1/8
        x = self.stage3(self.up3(self.stage2(skip2), skip2))  # 64 @ 1/4
        x = self.stage4(self.up4(x, skip1))  # 16 @ 1/2
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an FSSNet with fresh weights."""
    return FSSNet(in_channels, classes)
