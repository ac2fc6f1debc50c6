"""DenseNet: Densely Connected Convolutional Networks.

G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, 2016. arXiv:1608.06993

Slices (N, in_channels, S, S) to logits (N, classes), S any size of 32 or more; 6,948,609 parameters at one
channel in and one class out.

timm's DenseNet-121, the default of the code of Selvan et al. 2024 (arXiv:2303.10181). Fresh weights: nothing
is downloaded.
"""

from torch import nn

from zoo.classifiers._timm import network

MULTIPLE = 1


def build(image_size: int, in_channels: int, classes: int) -> nn.Module:
    """Build timm's DenseNet-121 with fresh weights."""
    return network("densenet", "densenet121", MULTIPLE, image_size, in_channels, classes)
