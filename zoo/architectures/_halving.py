"""ENet's way of halving, which its successors took over: a strided convolution beside a max pooling."""

import torch
from torch import Tensor, nn


class Halving(nn.Module):
    """Halve the size: 3x3 convolution of stride 2 for the new channels, 2x2 max pooling for the old ones.

    Where there are no more channels out than in, nothing is pooled and the convolution makes them all, as in
    EDANet and DABNet.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        new = out_channels - in_channels if out_channels > in_channels else out_channels
        self.convolution = nn.Conv2d(in_channels, new, 3, stride=2, padding=1, bias=bias)
        self.pool = nn.MaxPool2d(2) if new < out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / 2, W / 2), the convolved channels first."""
        if self.pool is None:
            return self.convolution(x)
        return torch.cat((self.convolution(x), self.pool(x)), dim=1)
