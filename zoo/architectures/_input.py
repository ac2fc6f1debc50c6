"""The size check that every network makes before its first layer."""

from torch import Tensor


def require_multiple(x: Tensor, multiple: int, network: str) -> None:
    """Refuse a batch (N, C, H, W) whose height or width the network cannot halve evenly.

    Raises:
        ValueError: naming the multiple and the size to pad to.
    """
    height, width = x.shape[-2:]
    if height % multiple == 0 and width % multiple == 0 and height and width:
        return
    wanted = " x ".join(str(max(1, -(-side // multiple)) * multiple) for side in (height, width))
    raise ValueError(
        f"{network}: input of {height} x {width} pixels; height and width must be multiples of {multiple}. "
        f"Pad the slices to {wanted}, or choose an image size that is a multiple of {multiple}."
    )
