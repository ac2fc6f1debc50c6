"""Searching for MobileNetV3: the small one, dilated to 1/16, with a reduced LR-ASPP head.

A. Howard, M. Sandler, G. Chu, L.-C. Chen, B. Chen, M. Tan, W. Wang, Y. Zhu, R. Pang, V. Vasudevan, Q. V. Le,
H. Adam, 2019. arXiv:1905.02244, doi:10.1109/ICCV.2019.00140

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 1,066,361 parameters at
one channel in and one class out. The paper's 2.5 M are the ImageNet classifier's.

Differences from the paper, as in the study's code: the head leaves out the logits of the stride-8 features,
gates by the mean of the whole image instead of strided 49x49 averages, and the last blocks keep all their
channels. Excitation comes before the activation. From the study's code: without its classifier, which gets no
gradient (783,206 parameters), and without its sigmoid; this network returns logits.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._input import require_multiple

MULTIPLE = 16
# kernel, expansion, channels out, excitation, hard-swish (else ReLU), stride, dilation
ROWS = (
    (3, 16, 16, True, False, 2, 1),
    (3, 72, 24, False, False, 2, 1),
    (3, 88, 24, False, False, 1, 1),
    (5, 96, 40, True, True, 2, 1),
    (5, 240, 40, True, True, 1, 1),
    (5, 240, 40, True, True, 1, 1),
    (5, 120, 48, True, True, 1, 1),
    (5, 144, 48, True, True, 1, 1),
    (5, 288, 96, True, True, 1, 2),
    (5, 576, 96, True, True, 1, 2),
    (5, 576, 96, True, True, 1, 2),
)


def pointwise(in_channels: int, out_channels: int, *activation: nn.Module) -> nn.Sequential:
    """Convolve 1x1 and normalise, then activate if told to."""
    convolution = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), *activation)


class Excitation(nn.Module):
    """Weigh each channel between 0 and 1 by the means of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.excite = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, channels, H, W), weighted."""
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * F.hardsigmoid(self.excite(self.squeeze(means).relu()))


class InvertedResidual(nn.Module):
    """Expand, convolve each channel alone, excite, and project without activation."""

    def __init__(
        self,
        in_channels: int,
        kernel: int,
        expansion: int,
        out_channels: int,
        excitation: bool,
        hard_swish: bool,
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if hard_swish else nn.ReLU
        depthwise = nn.Conv2d(
            expansion,
            expansion,
            kernel,
            stride,
            padding=kernel // 2 * dilation,
            dilation=dilation,
            groups=expansion,
            bias=False,
        )
        self.layers = nn.Sequential(
            pointwise(in_channels, expansion, activation()),
            depthwise,
            nn.BatchNorm2d(expansion),
            Excitation(expansion) if excitation else nn.Identity(),
            activation(),
            pointwise(expansion, out_channels),
        )
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV3Small(nn.Module):
    """Eleven inverted residuals down to 1/16, and a head that gates them by the whole image."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        entry = nn.Conv2d(in_channels, 16, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(entry, nn.BatchNorm2d(16), nn.Hardswish())
        widths = (16, *(row[2] for row in ROWS))
        blocks = (InvertedResidual(width, *row) for width, row in zip(widths, ROWS, strict=False))
        self.blocks = nn.Sequential(*blocks)
        self.last = pointwise(96, 576, nn.Hardswish())
        self.features = pointwise(576, 128, nn.ReLU())
        self.gate = nn.Sequential(nn.Conv2d(576, 128, 1, bias=False), nn.Sigmoid())
        self.head = nn.Conv2d(128, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "mobilenet_v3_small")
        x = self.last(self.blocks(self.stem(x)))  # 576 @ 1/16
        x = self.features(x) * self.gate(x.mean(dim=(2, 3), keepdim=True))
        return F.interpolate(self.head(x), scale_factor=16, mode="bilinear", align_corners=True)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a small MobileNetV3 for segmentation, with fresh weights."""
    return MobileNetV3Small(in_channels, classes)
