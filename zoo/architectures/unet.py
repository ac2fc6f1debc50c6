"""U-Net: Convolutional Networks for Biomedical Image Segmentation.

O. Ronneberger, P. Fischer, T. Brox, 2015. arXiv:1505.04597, doi:10.1007/978-3-319-24574-4_28

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 31,036,481 parameters at
one channel in and one class out; the paper gives no count that we know of. The reference network of Mazurek
et al. 2024 (arXiv:2405.15778).

Differences from the paper: padded convolutions, so that the output has the input's size and no skip is
cropped; batch normalisation after each 3x3 convolution instead of a bias; no dropout at the bottleneck. The
study's code chose the same, but ends in a sigmoid; this network returns logits.
"""

import torch
from torch import Tensor, nn

from zoo.architectures._input import require_multiple

MULTIPLE = 16

WIDTHS = (64, 128, 256, 512, 1024)


def block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Stack two times [3x3 convolution, batch normalisation, ReLU]."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Contract four times, expand four times, and join both sides at every level."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        downward = zip((in_channels, *WIDTHS), WIDTHS[:-1], strict=False)
        upward = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))  # (1024, 512) ... (128, 64)
        self.encoder = nn.ModuleList(block(above, here) for above, here in downward)
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = block(WIDTHS[-2], WIDTHS[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, here, 2, stride=2) for below, here in upward)
        self.decoder = nn.ModuleList(block(2 * here, here) for _, here in upward)
        self.head = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "unet")
        skips = []
        for stage in self.encoder:
            x = stage(x)  # 64 @ 1, 128 @ 1/2, 256 @ 1/4, 512 @ 1/8
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)  # 1024 @ 1/16
        for up, stage in zip(self.up, self.decoder, strict=True):
            x = stage(torch.cat((up(x), skips.pop()), dim=1))
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a U-Net with fresh weights."""
    return UNet(in_channels, classes)
