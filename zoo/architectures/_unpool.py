"""Un-pooling by remembered places, exact and deterministic: what SegNet and ENet decode with."""

import torch
from torch import Tensor
from torch.nn import functional as F


def unpool(x: Tensor, places: Tensor) -> Tensor:
    """Put each value of x (N, C, H, W) back where 2x2 max pooling with stride 2 found it, among zeros.

    `places` are the pooling's indices; the result is (N, C, 2 · H, 2 · W), bit for bit that of
    `torch.nn.functional.max_unpool2d`, which `torch.use_deterministic_algorithms` refuses on any device. No
    scattering is needed here: windows of 2x2 do not overlap, so a value's corner in its window says it all.
    """
    height, width = 2 * x.shape[-2], 2 * x.shape[-1]
    row = torch.arange(height, device=x.device)[:, None]
    column = torch.arange(width, device=x.device)
    first = (row * width + column)[::2, ::2]  # the index of each window's corner 0
    onward = places - first  # 0, 1, width or width + 1
    corner = torch.where(onward < width, onward, onward - width + 2)
    here = row % 2 * 2 + column % 2
    at_home = _double(corner.byte()) == here.byte()  # bytes: maps of indices would weigh eight times that
    return torch.where(at_home, _double(x), 0)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
