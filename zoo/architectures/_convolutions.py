"""The convolution that the light networks are made of, padded so that only its stride changes the size.

Used by CGNet, ContextNet, DABNet, EDANet, ESNet, ESPNetv2, FPENet and FSSNet.
"""

from torch import nn


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """Convolve (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride); odd kernels only.

    A side of the kernel that is one pixel wide is neither padded nor dilated.
    """
    sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    gaps = tuple(dilation if side > 1 else 1 for side in sides)
    padding = tuple(side // 2 * gap for side, gap in zip(sides, gaps, strict=True))
    return nn.Conv2d(in_channels, out_channels, sides, stride, padding, gaps, groups, bias)


def rectified(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Stack convolution without bias, batch normalisation, ReLU: ContextNet, FPENet and FSSNet."""
    return nn.Sequential(
        convolution(in_channels, out_channels, kernel, stride, dilation, groups),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
