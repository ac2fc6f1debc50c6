"""ESNet: An Efficient Symmetric Network for Real-time Semantic Segmentation.

Y. Wang, Q. Zhou, J. Xiong, X. Wu, X. Jin, 2019. arXiv:1906.09826, doi:10.1007/978-3-030-31723-2_4

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 1,659,223 parameters at
one channel in and one class out. At three channels and nineteen classes there are 1,660,607; the paper says
1.66 M.

A symmetric ERFNet: larger factorised kernels at 1/4, three parallel dilations at 1/8. Differences from the
study's code: each of the three branches has its own batch normalisation; one that all three share, as there,
mixes their statistics and gives 1,536 parameters less. Logits are returned, not a sigmoid. Initial weights
are PyTorch's defaults.
"""

from torch import Tensor, nn

from zoo.architectures._convolutions import convolution
from zoo.architectures._halving import Halving
from zoo.architectures._input import require_multiple

MULTIPLE = 8

# Pruning leaves this layer whole: what it makes is joined to the image itself, and torch-pruning counts the
# image's channel as its own.
WHOLE = ("down1.0.convolution",)

EPSILON = 1e-3  # of batch normalisation, in the authors' code


def norm(channels: int) -> nn.BatchNorm2d:
    """Normalise by batch."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


def down(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve by a strided convolution beside a pooling."""
    return nn.Sequential(Halving(in_channels, out_channels), norm(out_channels), nn.ReLU(inplace=True))


def up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Double by a transposed convolution."""
    transposed = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(transposed, norm(out_channels), nn.ReLU(inplace=True))


def factorised(channels: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
    """Convolve by column, rectify, convolve by row, normalise."""
    column = convolution(channels, channels, (kernel, 1), dilation=dilation, bias=True)
    row = convolution(channels, channels, (1, kernel), dilation=dilation, bias=True)
    return [column, nn.ReLU(inplace=True), row, norm(channels)]


class Unit(nn.Module):
    """Factorised convolution unit (FCU): two factorised convolutions, added to the input."""

    def __init__(self, channels: int, kernel: int, drop: float = 0.0) -> None:
        super().__init__()
        first, second = factorised(channels, kernel), factorised(channels, kernel)
        dropout = nn.Dropout2d(drop) if drop else nn.Identity()
        self.layers = nn.Sequential(*first, nn.ReLU(inplace=True), *second, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        return (x + self.layers(x)).relu()


class ParallelUnit(nn.Module):
    """Parallel FCU: transform, split into three dilations, transform, merge by sum with the input."""

    def __init__(self, channels: int, drop: float) -> None:
        super().__init__()
        self.entry = nn.Sequential(*factorised(channels, 3), nn.ReLU(inplace=True))
        self.branches = nn.ModuleList(
            nn.Sequential(*factorised(channels, 3, dilation), nn.Dropout2d(drop)) for dilation in (2, 5, 9)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        y = self.entry(x)
        return (x + sum(branch(y) for branch in self.branches)).relu()


class ESNet(nn.Module):
    """Halve three times and double three times, with the same blocks on both sides; no skips."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.down1 = down(in_channels, 16)
        self.stage1 = nn.Sequential(*(Unit(16, 3, drop=0.03) for _ in range(3)))
        self.down2 = down(16, 64)
        self.stage2 = nn.Sequential(*(Unit(64, 5, drop=0.03) for _ in range(2)))
        self.down3 = down(64, 128)
        self.stage3 = nn.Sequential(*(ParallelUnit(128, drop=0.3) for _ in range(3)))
        self.up4 = up(128, 64)
        self.stage4 = nn.Sequential(Unit(64, 5), Unit(64, 5))
        self.up5 = up(64, 16)
        self.stage5 = nn.Sequential(Unit(16, 3), Unit(16, 3))
        self.head = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "esnet")
        x = self.stage1(self.down1(x))  # 16 @ 1/2
        x = self.stage2(self.down2(x))  # 64 @ 1/4
        x = self.stage3(self.down3(x))  # 128 @ 1/8
        x = self.stage4(self.up4(x))  # 64 @ 1/4
        x = self.stage5(self.up5(x))  # 16 @ 1/2
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an ESNet with fresh weights."""
    return ESNet(in_channels, classes)
