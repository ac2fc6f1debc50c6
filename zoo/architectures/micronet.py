"""MicroNet, a U-shaped network of dilated fire modules.

Chen et al., 2018, as cited and compared by Mazurek et al. 2024 (arXiv:2405.15778); the layers are those of
its author's public Keras code. Fire modules are SqueezeNet's (F. Iandola et al., arXiv:1602.07360).

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 4; 1,055,824 parameters at
one channel in and one class out; no published count is known to us.

Differences from the author's code: logits, no softmax. The study's code built a far smaller network under
this name, which ends in a sigmoid: 64 channels at every scale (162,113 parameters), with biases around the
fire modules, and only their squeezed features rectified. No biases and no normalisation here: scaling a slice
scales its logits.
"""

import torch
from torch import Tensor, nn

from zoo.architectures._input import require_multiple

MULTIPLE = 4


class Fire(nn.Module):
    """Squeeze to a quarter by 1x1, then expand by 1x1 and dilated 3x3, half the channels each."""

    def __init__(self, in_channels: int, channels: int, dilation: int) -> None:
        super().__init__()
        narrow, half = channels // 4, channels // 2
        self.squeeze = nn.Conv2d(in_channels, narrow, 1, bias=False)
        self.expand1 = nn.Conv2d(narrow, half, 1, bias=False)
        self.expand3 = nn.Conv2d(narrow, half, 3, padding=dilation, dilation=dilation, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W)."""
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1(x), self.expand3(x)), dim=1).relu()


def encoder(in_channels: int, channels: int) -> nn.Sequential:
    """Stack four fire modules that look ever wider."""
    widths = (in_channels, channels, channels, channels)
    return nn.Sequential(
        *(Fire(before, channels, gap) for before, gap in zip(widths, (1, 1, 2, 3), strict=True))
    )


def decoder(channels: int) -> nn.Sequential:
    """Stack three fire modules that look ever closer."""
    return nn.Sequential(*(Fire(channels, channels, gap) for gap in (3, 2, 1)))


def doubling(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Double the size by a transposed 2x2 convolution."""
    return nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False)


class MicroNet(nn.Module):
    """Three stages down, three up, with the features of both sides summed."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.encoder1 = encoder(in_channels, 64)
        self.encoder2 = encoder(64, 128)
        self.encoder3 = encoder(128, 256)
        self.decoder3 = decoder(256)
        self.up2 = doubling(256, 128)
        self.decoder2 = decoder(128)
        self.up1 = doubling(128, 64)
        self.decoder1 = decoder(64)
        self.head = nn.Conv2d(64, classes, 1, bias=False)
        for weights in self.parameters():
            nn.init.kaiming_normal_(weights, nonlinearity="relu")  # the author's; without it the signal fades

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "micronet")
        skip1 = self.encoder1(x)  # 64 @ 1
        skip2 = self.encoder2(self.pool(skip1))  # 128 @ 1/2
        x = self.decoder3(self.encoder3(self.pool(skip2)))  # 256 @ 1/4
        x = self.decoder2(self.up2(x) + skip2)
        return self.head(self.decoder1(self.up1(x) + skip1))


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a MicroNet with fresh weights."""
    return MicroNet(in_channels, classes)
