"""Un-pooling by remembered places, exact and deterministic: what SegNet and ENet decode with."""

import torch
from torch import Tensor
from torch.nn import functional as F


def unpool(x: Tensor, places: Tensor) -> Tensor:
    """Put each value of x (N, C, H, W) back where 2x2 max pooling with stride 2 found it, among zeros.

    `places` are the pooling's indices; the result is (N, C, 2 · H, 2 · W), bit for bit that of
    `torch.nn.functional.max_unpool2d`, which `torch.use_deterministic_algorithms` refuses on any device. No
    scattering is needed here: windows of 2x2 do not overlap, so each value can only return to its own one.
    """
    height, width = 2 * x.shape[-2], 2 * x.shape[-1]
    here = torch.arange(height * width, device=x.device).view(height, width)
    remembered = places.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return F.interpolate(x, scale_factor=2, mode="nearest").masked_fill(remembered != here, 0)
