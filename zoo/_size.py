"""The size of a network: parameters and multiply-accumulates."""

from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zoo._registry import create


def parameters(model: nn.Module) -> int:
    """Count the weights that are trained."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


@cache
def macs_per_slice(architecture: str, image_size: int, in_channels: int = 1) -> int:
    """Count the multiply-accumulates of one forward pass of one slice, without computing it.

    Torch counts two operations per multiply-accumulate, of convolutions and matrix products only.

    Raises:
        ValueError: if the network cannot take slices of this size.
    """
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        create(architecture, in_channels).eval()(torch.empty(1, in_channels, image_size, image_size))
    return counter.get_total_flops() // 2
