"""SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation.

V. Badrinarayanan, A. Kendall, R. Cipolla, 2015. arXiv:1511.00561, doi:10.1109/TPAMI.2016.2644615

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 29,442,433 parameters at
one channel in and one class out. At three channels and twenty classes there are 29,454,548; ENet's paper
counts 29.46 M for it.

VGG-16's thirteen convolutions and their mirror image. Only the places of the maxima cross from encoder to
decoder: each value returns to the pixel it was pooled from, and the convolutions fill the gaps.

Differences from the paper: fresh weights instead of an encoder trained on ImageNet, and no softmax. From the
study's code: no sigmoid; un-pooling by comparing places, the same numbers as torch's, which has no
deterministic implementation; sizes that five poolings would cut are refused, not patched up in the decoder.
"""

from itertools import pairwise

from torch import Tensor, nn

from zoo.architectures._input import require_multiple
from zoo.architectures._unpool import unpool

MULTIPLE = 32


def stage(*widths: int) -> nn.Sequential:
    """Stack [3x3 convolution, batch normalisation, ReLU] from each width to the next."""
    layers: list[nn.Module] = []
    for above, here in pairwise(widths):
        layers += [nn.Conv2d(above, here, 3, padding=1), nn.BatchNorm2d(here), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class SegNet(nn.Module):
    """Pool five times, remembering where; un-pool five times, to the same places."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            (
                stage(in_channels, 64, 64),
                stage(64, 128, 128),
                stage(128, 256, 256, 256),
                stage(256, 512, 512, 512),
                stage(512, 512, 512, 512),
            )
        )
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.decoder = nn.ModuleList(
            (
                stage(512, 512, 512, 512),
                stage(512, 512, 512, 256),
                stage(256, 256, 256, 128),
                stage(128, 128, 64),
                stage(64, 64),
            )
        )
        self.head = nn.Conv2d(64, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "segnet")
        memory = []
        for down in self.encoder:
            x, places = self.pool(down(x))  # 64 @ 1/2, 128 @ 1/4, 256 @ 1/8, 512 @ 1/16, 512 @ 1/32
            memory.append(places)
        for up in self.decoder:
            x = up(unpool(x, memory.pop()))
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a SegNet with fresh weights."""
    return SegNet(in_channels, classes)
