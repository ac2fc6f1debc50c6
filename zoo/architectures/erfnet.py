"""ERFNet: Efficient Residual Factorized ConvNet for Real-Time Semantic Segmentation.

E. Romera, J. M. Álvarez, L. M. Bergasa, R. Arroyo, 2017.
IEEE Transactions on Intelligent Transportation Systems 19, 263-272, doi:10.1109/TITS.2017.2750080

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 2,062,807 parameters at
one channel in and one class out. At three channels and twenty classes there are 2,064,256; the tables of
later papers round to 2.1 M.

As in the authors' code, but trained at once from fresh weights instead of the encoder first: the 1x1 head
with which the encoder was trained alone is left out. The study's code carries it along (129 parameters that
get no gradient) and ends in a sigmoid; this network returns logits.
"""

from torch import Tensor, nn

from zoo.architectures._halving import Halving
from zoo.architectures._input import require_multiple

MULTIPLE = 8

# Pruning leaves this layer whole: what it makes is joined to the image itself, and torch-pruning counts the
# image's channel as its own.
WHOLE = ("down1.0.convolution",)

EPSILON = 1e-3  # of batch normalisation, in the authors' code


def down(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve by a strided convolution beside a pooling."""
    norm = nn.BatchNorm2d(out_channels, eps=EPSILON)
    return nn.Sequential(Halving(in_channels, out_channels), norm, nn.ReLU(inplace=True))


def up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Double by a transposed convolution."""
    convolution = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels, eps=EPSILON), nn.ReLU(inplace=True))


class NonBottleneck(nn.Module):
    """Non-bottleneck-1D: two 3x3 convolutions, each split into column and row, the second perhaps dilated."""

    def __init__(self, channels: int, drop: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for gap in (1, dilation):
            layers += [
                nn.Conv2d(channels, channels, (3, 1), padding=(gap, 0), dilation=(gap, 1)),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, (1, 3), padding=(0, gap), dilation=(1, gap)),
                nn.BatchNorm2d(channels, eps=EPSILON),
                nn.ReLU(inplace=True),
            ]
        layers[-1] = nn.Dropout2d(drop) if drop else nn.Identity()  # the last ReLU comes after the sum
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to its like."""
        return (x + self.layers(x)).relu()


class ERFNet(nn.Module):
    """Halve three times, look ever wider at 1/8, and double three times; no skips."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.down1 = down(in_channels, 16)
        self.down2 = down(16, 64)
        self.stage2 = nn.Sequential(*(NonBottleneck(64, drop=0.03) for _ in range(5)))
        self.down3 = down(64, 128)
        self.stage3 = nn.Sequential(*(NonBottleneck(128, 0.3, dilation) for dilation in (2, 4, 8, 16) * 2))
        self.up4 = up(128, 64)
        self.stage4 = nn.Sequential(NonBottleneck(64), NonBottleneck(64))
        self.up5 = up(64, 16)
        self.stage5 = nn.Sequential(NonBottleneck(16), NonBottleneck(16))
        self.head = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "erfnet")
        x = self.stage2(self.down2(self.down1(x)))  # 64 @ 1/4
        x = self.stage3(self.down3(x))  # 128 @ 1/8
        x = self.stage4(self.up4(x))  # 64 @ 1/4
        x = self.stage5(self.up5(x))  # 16 @ 1/2
        return self.head(x)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an ERFNet with fresh weights."""
    return ERFNet(in_channels, classes)
