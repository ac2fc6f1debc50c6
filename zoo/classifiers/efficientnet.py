"""EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks.

M. Tan, Q. V. Le, 2019. arXiv:1905.11946

Slices (N, in_channels, S, S) to logits (N, classes), S any size of 32 or more; 4,008,253 parameters at one
channel in and one class out.

timm's B0, the smallest. Selvan et al. 2024 (arXiv:2303.10181) name the family, and their code takes any of
timm's. Fresh weights: nothing is downloaded.
"""

from torch import nn

from zoo.classifiers._timm import network

MULTIPLE = 1


def build(image_size: int, in_channels: int, classes: int) -> nn.Module:
    """Build timm's EfficientNet-B0 with fresh weights."""
    return network("efficientnet", "efficientnet_b0", MULTIPLE, image_size, in_channels, classes)
