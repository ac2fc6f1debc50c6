"""The size check that every network makes before its first layer."""

from torch import Tensor


def require_multiple(x: Tensor, multiple: int, network: str, smallest: int = 1) -> None:
    """Refuse a batch (N, C, H, W) whose height or width the network cannot halve evenly, or is too small.

    Raises:
        ValueError: naming the multiple and the size to pad to.
    """
    height, width = x.shape[-2:]
    if all(side >= smallest and side % multiple == 0 for side in (height, width)):
        return
    wanted = " x ".join(str(-(-max(side, smallest) // multiple) * multiple) for side in (height, width))
    least = f" and at least {smallest}" if smallest > multiple else ""
    raise ValueError(
        f"{network}: input of {height} x {width} pixels; height and width must be multiples of "
        f"{multiple}{least}. Pad the slices to {wanted}, or choose an image size that is a multiple of "
        f"{multiple}."
    )
