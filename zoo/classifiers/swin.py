"""Swin Transformer: Hierarchical Vision Transformer using Shifted Windows.

Z. Liu, Y. Lin, Y. Cao, H. Hu, Y. Wei, Z. Zhang, S. Lin, B. Guo, 2021. arXiv:2103.14030

Slices (N, in_channels, S, S) to logits (N, classes), S a multiple of 32; 27,500,731 parameters for slices of
64 pixels at one channel in and one class out (tables of relative places grow with the size).

timm's Swin-T, the smallest. Selvan et al. 2024 (arXiv:2303.10181) name the family, and their code takes any
of timm's. Fresh weights: nothing is downloaded.
"""

from torch import nn

from zoo.classifiers._timm import network

MULTIPLE = 32


def build(image_size: int, in_channels: int, classes: int) -> nn.Module:
    """Build timm's Swin-T with fresh weights."""
    return network(
        "swin",
        "swin_tiny_patch4_window7_224",
        MULTIPLE,
        image_size,
        in_channels,
        classes,
        img_size=image_size,
    )
