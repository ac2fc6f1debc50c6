"""Classifiers of timm, PyTorch Image Models."""

from typing import Any

from torch import nn

from zoo.classifiers._size_check import require_size


def network(
    name: str, timm_name: str, multiple: int, image_size: int, in_channels: int, classes: int, **more: Any
) -> nn.Module:
    """Build one with fresh weights.

    Raises:
        ValueError: if it cannot take slices of that size.
    """
    import timm

    require_size(image_size, multiple, name)
    return timm.create_model(timm_name, pretrained=False, in_chans=in_channels, num_classes=classes, **more)
