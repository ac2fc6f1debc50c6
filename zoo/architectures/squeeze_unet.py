"""Squeeze U-Net: A Memory and Energy Efficient Image Segmentation Network.

N. Beheshti, L. Johnsson, 2020. CVPR workshops, doi:10.1109/CVPRW50498.2020.00190

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 2,501,873 parameters at
one channel in and one class out; the paper says 2.6 M.

The layers are those of the public Keras code on which the Attention Squeeze U-Net builds, so that the two
networks of this zoo differ in the attention gates alone. Hence, as there, no dropout (one public copy drops
half of the deepest features) and fire modules that rectify before they normalise. The study names this
network, but its code has none. Unlike the Keras code: PyTorch's initial weights and epsilon (1e-5), stem and
pools padded on all sides, not below and at the right only, and logits, no sigmoid.
"""

import torch
from torch import Tensor, nn

from zoo.architectures._input import require_multiple

MULTIPLE = 16


class Fire(nn.Module):
    """Squeeze to few channels by 1x1, then expand by 1x1 and 3x3 side by side: 2 · expand channels out."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(
            nn.Conv2d(in_channels, squeeze, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(squeeze)
        )
        self.expand1 = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU(inplace=True))
        self.expand3 = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2 · expand, H, W)."""
        x = self.squeeze(x)
        return torch.cat((self.expand1(x), self.expand3(x)), dim=1)


class Step(nn.Module):
    """Decode one level: transposed convolution, skip, fire module."""

    def __init__(self, in_channels: int, up: int, skip: int, squeeze: int, stride: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, up, 3, stride, padding=1, output_padding=stride - 1)
        self.fire = Fire(up + skip, squeeze, up)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2 · up, stride · H, stride · W)."""
        return self.fire(torch.cat((self.up(x), skip), dim=1))


class SqueezeUNet(nn.Module):
    """SqueezeNet down to 1/16, fire modules up to 1/4, two nearest-neighbour steps to full size."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 64, 3, 2, padding=1), nn.ReLU(inplace=True))
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.fires1 = nn.Sequential(Fire(64, 16, 64), Fire(128, 16, 64))
        self.fires2 = nn.Sequential(Fire(128, 32, 128), Fire(256, 32, 128))
        self.fires3 = nn.Sequential(Fire(256, 48, 192), Fire(384, 48, 192))
        self.fires4 = nn.Sequential(Fire(384, 64, 256), Fire(512, 64, 256))
        self.step1 = Step(512, up=192, skip=384, squeeze=48, stride=1)
        self.step2 = Step(384, up=128, skip=256, squeeze=32, stride=1)
        self.step3 = Step(256, up=64, skip=128, squeeze=16, stride=2)
        self.step4 = Step(128, up=32, skip=64, squeeze=16, stride=2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.tail = nn.Sequential(nn.Conv2d(128, 64, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Conv2d(64, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "squeeze_unet")
        stem = self.stem(x)  # 64 @ 1/2
        skip1 = self.pool(stem)  # 64 @ 1/4: the skips are the pooled maps, but for the deepest and the stem
        skip2 = self.pool(self.fires1(skip1))  # 128 @ 1/8
        skip3 = self.pool(self.fires2(skip2))  # 256 @ 1/16
        deep = self.fires3(skip3)  # 384 @ 1/16
        x = self.step1(self.fires4(deep), deep)  # 384 @ 1/16
        x = self.step2(x, skip3)  # 256 @ 1/16
        x = self.step3(x, skip2)  # 128 @ 1/8
        x = self.step4(x, skip1)  # 64 @ 1/4
        x = torch.cat((self.upsample(x), stem), dim=1)  # 128 @ 1/2
        return self.head(self.upsample(self.tail(x)))


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a Squeeze U-Net with fresh weights."""
    return SqueezeUNet(in_channels, classes)
