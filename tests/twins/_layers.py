"""Single layers that read their weights by name; what a network does with them is not here."""

from torch import Tensor
from torch.nn import functional as F

Weights = dict[str, Tensor]


def conv(
    weights: Weights, layer: str, x: Tensor, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Convolve, padded so that stride 1 keeps the size; a 2x2 kernel is not padded."""
    kernel = weights[f"{layer}.weight"]
    padding = [(size - 1) // 2 * dilation for size in kernel.shape[2:]]
    return F.conv2d(x, kernel, weights.get(f"{layer}.bias"), stride, padding, dilation, groups)


def transposed(weights: Weights, layer: str, x: Tensor, stride: int = 2) -> Tensor:
    """Convolve transposedly, padded so that the size is multiplied by the stride."""
    kernel = weights[f"{layer}.weight"]
    size = kernel.shape[-1]
    padding, output_padding = (size - 1) // 2, stride - size + 2 * ((size - 1) // 2)
    return F.conv_transpose2d(x, kernel, weights.get(f"{layer}.bias"), stride, padding, output_padding)


def norm(weights: Weights, layer: str, x: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Normalise with the running statistics."""
    mean, variance, scale, shift = (
        weights[f"{layer}.{name}"][:, None, None]
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + epsilon).sqrt() * scale + shift


def prelu(weights: Weights, layer: str, x: Tensor) -> Tensor:
    return x.clamp(min=0) + weights[f"{layer}.weight"][:, None, None] * x.clamp(max=0)


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Bilinearly, corners aligned."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)
