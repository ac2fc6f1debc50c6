"""ContextNet: Exploring Context and Detail for Semantic Segmentation in Real-time.

R. P. K. Poudel, U. Bonde, S. Liwicki, C. Zach, 2018. arXiv:1805.04554

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 873,089 parameters at one
channel in and one class out. At three channels and nineteen classes there are 876,563; the paper says 0.85 M.

The paper's cn14: a deep branch sees the slice at a quarter of its size, a shallow one at full size.
Differences from the paper: the fusion's depthwise convolution is not dilated, and the context branch ends
with its last bottleneck, as in the study's code. Differences from that code: the two first convolutions are
padded, without which each map would be a pixel short and the two branches out of register; logits are
returned, not a sigmoid. All bilinear steps align the corners. Initial weights are PyTorch's defaults.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.architectures._convolutions import convolution, rectified
from zoo.architectures._input import require_multiple

MULTIPLE = 32
DROP = 0.1
# expansion, channels out, repeats, stride of the first
BOTTLENECKS = ((1, 32, 1, 1), (6, 32, 1, 1), (6, 48, 3, 2), (6, 64, 3, 2), (6, 96, 2, 1), (6, 128, 2, 1))


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Change the size of a map bilinearly."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def separable(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Convolve each channel 3x3, then across channels."""
    depthwise = rectified(in_channels, in_channels, stride=stride, groups=in_channels)
    return nn.Sequential(depthwise, rectified(in_channels, out_channels, 1))


def projection(channels: int) -> nn.Sequential:
    """Bring a branch to the sum at 1/8."""
    return nn.Sequential(convolution(channels, channels, 1, bias=True), nn.BatchNorm2d(channels))


class Bottleneck(nn.Module):
    """Inverted residual: expand, see each channel, project linearly; a shortcut where the shapes match."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = expansion * in_channels
        self.residual = stride == 1 and in_channels == out_channels
        self.layers = nn.Sequential(
            rectified(in_channels, width, 1),
            rectified(width, width, stride=stride, groups=width),
            convolution(width, out_channels, 1),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        return x + self.layers(x) if self.residual else self.layers(x)


def bottlenecks(
    in_channels: int, expansion: int, out_channels: int, repeats: int, stride: int
) -> nn.Sequential:
    """Stack inverted residuals; the first changes the shape."""
    first = Bottleneck(in_channels, out_channels, expansion, stride)
    return nn.Sequential(
        first, *(Bottleneck(out_channels, out_channels, expansion, 1) for _ in range(repeats - 1))
    )


class Fusion(nn.Module):
    """Enlarge the context to the detail's size, and add the two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.smooth = rectified(channels, channels, groups=channels)
        self.context, self.detail = projection(channels), projection(channels)

    def forward(self, context: Tensor, detail: Tensor) -> Tensor:
        """Map (N, channels, H / 4, W / 4) and (N, channels, H, W) to (N, channels, H, W)."""
        context = self.smooth(resize(context, detail.shape[-2:]))
        return (self.context(context) + self.detail(detail)).relu()


class ContextNet(nn.Module):
    """Look once shallowly at the slice and once deeply at its quarter, and fuse both at 1/8."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        widths = (32, *(width for _, width, _, _ in BOTTLENECKS))
        self.detail = nn.Sequential(
            rectified(in_channels, 32, stride=2),
            separable(32, 64, stride=2),
            separable(64, 128, stride=2),
            separable(128, 128),
        )
        self.context = nn.Sequential(
            rectified(in_channels, 32, stride=2),
            *(bottlenecks(width, *row) for width, row in zip(widths[:-1], BOTTLENECKS, strict=True)),
        )
        self.fusion = Fusion(128)
        self.classifier = nn.Sequential(separable(128, 128), separable(128, 128), nn.Dropout(DROP))
        self.head = nn.Conv2d(128, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "contextnet")
        height, width = x.shape[-2:]
        detail = self.detail(x)  # 128 @ 1/8
        context = self.context(resize(x, (height // 4, width // 4)))  # 128 @ 1/32
        return resize(self.head(self.classifier(self.fusion(context, detail))), (height, width))


def build(in_channels: int, classes: int) -> nn.Module:
    """Build a ContextNet with fresh weights."""
    return ContextNet(in_channels, classes)
