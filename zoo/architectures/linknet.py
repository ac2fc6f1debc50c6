"""LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation.

A. Chaurasia, E. Culurciello, 2017. arXiv:1707.03718, doi:10.1109/VCIP.2017.8305148

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 11,527,105 parameters at
one channel in and one class out; the paper says 11.5 M.

A ResNet-18 (K. He et al., arXiv:1512.03385) whose four stages are undone one by one; the input of each stage
is added to what undoes it. As in the paper, but for fresh weights instead of ImageNet's. The study's code has
the same layers and ends in a sigmoid; this network returns logits.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._input import require_multiple

MULTIPLE = 32
WIDTHS = (64, 64, 128, 256, 512)


def convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """List a convolution without bias and its batch normalisation."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(out_channels)]


def doubling(in_channels: int, out_channels: int, stride: int = 2, bias: bool = False) -> list[nn.Module]:
    """List a transposed 3x3 convolution, batch normalisation and ReLU: `stride` times the size."""
    layer = nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride, padding=1, output_padding=stride - 1, bias=bias
    )
    return [layer, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


class Residual(nn.Module):
    """ResNet's basic block."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        entry = [*convolution(in_channels, out_channels, 3, stride), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*entry, *convolution(out_channels, out_channels, 3))
        project = stride > 1
        self.shortcut = nn.Sequential(*(convolution(in_channels, out_channels, 1, stride) if project else ()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        return F.relu(self.layers(x) + self.shortcut(x))


def encoder(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Stack two residual blocks, the first of which may halve."""
    return nn.Sequential(Residual(in_channels, out_channels, stride), Residual(out_channels, out_channels, 1))


def decoder(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Undo an encoder: through a quarter of its channels to those it began with."""
    inner = in_channels // 4
    entry = [*convolution(in_channels, inner, 1), nn.ReLU(inplace=True)]
    leave = [*convolution(inner, out_channels, 1), nn.ReLU(inplace=True)]
    return nn.Sequential(*entry, *doubling(inner, inner, stride), *leave)


class LinkNet(nn.Module):
    """Encode to 1/32, decode back to 1/4 with sums across, and finish in three convolutions."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        entry = [*convolution(in_channels, WIDTHS[0], 7, stride=2), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*entry, nn.MaxPool2d(3, 2, padding=1))
        levels = list(zip(WIDTHS, WIDTHS[1:], (1, 2, 2, 2), strict=False))
        self.encoders = nn.ModuleList(encoder(above, below, stride) for above, below, stride in levels)
        self.decoders = nn.ModuleList(decoder(below, above, stride) for above, below, stride in levels[::-1])
        smooth = [nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(inplace=True)]
        self.tail = nn.Sequential(*doubling(WIDTHS[0], 32, bias=True), *smooth)
        self.head = nn.ConvTranspose2d(32, classes, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "linknet")
        x = self.stem(x)  # 64 @ 1/4
        inputs = []
        for encode in self.encoders:
            inputs.append(x)
            x = encode(x)  # 64 @ 1/4, 128 @ 1/8, 256 @ 1/16, 512 @ 1/32
        for decode in self.decoders:
            x = decode(x) + inputs.pop()
        return self.head(self.tail(x))


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a LinkNet with fresh weights."""
    return LinkNet(in_channels, classes)
