"""ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation.

A. Paszke, A. Chaurasia, S. Kim, E. Culurciello, 2016. arXiv:1606.02147

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 362,927 parameters at one
channel in and one class out. At three channels and nineteen classes there are 364,311; the paper says 0.37 M.

The layout is that of the authors' own Torch code: a bottleneck's width is a quarter of its channels out, the
pooling windows are 2x2, the encoder has PReLUs with a slope per channel and the decoder plain ReLUs, nothing
is dropped in the decoder, and an activation stands behind each sum but not before it. The study's code took
another layout (355,182 parameters: a quarter of the channels *in*, 3x3 pooling windows, one slope per block
that all its activations share, dropout in the decoder) and ends in a sigmoid. Initial weights are PyTorch's
defaults. Un-pooling compares places: torch's own numbers, but deterministic.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._halving import Halving
from zoo.architectures._input import require_multiple
from zoo.architectures._unpool import unpool

MULTIPLE = 8

# Pruning leaves these layers whole: each feeds the sums of a stage whose shortcut is padded with empty
# channels or unpooled, and torch-pruning follows channels through neither.
WHOLE = ("stage3.7.side.6", "stage4.1.side.6", "stage5.side.6")

EPSILON = 1e-3  # Torch7's batch normalisation


def norm(channels: int) -> nn.BatchNorm2d:
    """Normalise by batch."""
    return nn.BatchNorm2d(channels, eps=EPSILON)


def relu(channels: int) -> nn.ReLU:  # noqa: ARG001 - the shape of nn.PReLU, which has a slope per channel
    """Rectify, in the decoder."""
    return nn.ReLU()


def dilated(width: int, dilation: int = 1) -> nn.Conv2d:
    """Convolve 3x3, with holes if dilated."""
    return nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)


def asymmetric(width: int) -> nn.Sequential:
    """Convolve 5x5 in two steps, one axis each."""
    column = nn.Conv2d(width, width, (5, 1), padding=(2, 0), bias=False)
    return nn.Sequential(column, nn.Conv2d(width, width, (1, 5), padding=(0, 2)))


def side(
    entry: nn.Conv2d, middle: nn.Module, channels: int, activate: Callable[[int], nn.Module], drop: float
) -> nn.Sequential:
    """Squeeze, convolve, and expand to `channels`: the residual that a bottleneck adds."""
    width = entry.out_channels
    leave = [nn.Conv2d(width, channels, 1, bias=False), norm(channels), *([nn.Dropout2d(drop)] * bool(drop))]
    return nn.Sequential(entry, norm(width), activate(width), middle, norm(width), activate(width), *leave)


class Bottleneck(nn.Module):
    """Add to the input what a narrow convolution makes of it."""

    def __init__(self, middle: nn.Module, channels: int, activate: Callable[[int], nn.Module], drop: float):
        super().__init__()
        entry = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.side = side(entry, middle, channels, activate, drop)
        self.activation = activate(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        return self.activation(x + self.side(x))


class Down(nn.Module):
    """Halve: pool, remembering where, and pad with empty channels; add a strided bottleneck."""

    def __init__(self, in_channels: int, channels: int, drop: float) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.new = channels - in_channels
        entry = nn.Conv2d(in_channels, channels // 4, 2, stride=2, bias=False)
        self.side = side(entry, dilated(channels // 4), channels, nn.PReLU, drop)
        self.activation = nn.PReLU(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, in_channels, H, W) to (N, channels, H / 2, W / 2), and give the places of the maxima."""
        pooled, places = self.pool(x)
        return self.activation(F.pad(pooled, (0, 0, 0, 0, 0, self.new)) + self.side(x)), places


class Up(nn.Module):
    """Double: fewer channels, back to the places they were pooled from; add a transposed bottleneck."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        width = channels // 4
        self.main = nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), norm(channels))
        entry = nn.Conv2d(in_channels, width, 1, bias=False)
        middle = nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1)
        self.side = side(entry, middle, channels, relu, drop=0)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, 2 · H, 2 · W)."""
        return F.relu(unpool(self.main(x), places) + self.side(x))


def sequence() -> nn.Sequential:
    """Look ever wider at 1/8: the eight bottlenecks of stage 2, which stage 3 repeats."""
    middles = (dilated(32), dilated(32, 2), asymmetric(32), dilated(32, 4))
    middles += (dilated(32), dilated(32, 8), asymmetric(32), dilated(32, 16))
    return nn.Sequential(*(Bottleneck(middle, 128, nn.PReLU, drop=0.1) for middle in middles))


class ENet(nn.Module):
    """Halve three times at once, think at 1/8, and come back by the remembered places."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.initial = nn.Sequential(Halving(in_channels, 16), norm(16), nn.PReLU(16))
        self.down1 = Down(16, 64, drop=0.01)
        self.stage1 = nn.Sequential(*(Bottleneck(dilated(16), 64, nn.PReLU, drop=0.01) for _ in range(4)))
        self.down2 = Down(64, 128, drop=0.1)
        self.stage2 = sequence()
        self.stage3 = sequence()
        self.up4 = Up(128, 64)
        self.stage4 = nn.Sequential(*(Bottleneck(dilated(16), 64, relu, drop=0) for _ in range(2)))
        self.up5 = Up(64, 16)
        self.stage5 = Bottleneck(dilated(4), 16, relu, drop=0)
        self.head = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "enet")
        x, places1 = self.down1(self.initial(x))  # 64 @ 1/4
        x, places2 = self.down2(self.stage1(x))  # 128 @ 1/8
        x = self.stage3(self.stage2(x))
        x = self.stage4(self.up4(x, places2))  # 64 @ 1/4
        x = self.stage5(self.up5(x, places1))  # 16 @ 1/2
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an ENet with fresh weights."""
    return ENet(in_channels, classes)
