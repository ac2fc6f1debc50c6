"""LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation.

A. Chaurasia, E. Culurciello, 2017. arXiv:1707.03718, doi:10.1109/VCIP.2017.8305148

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 11,657,505 parameters at
one channel in and one class out.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. Not the study's LinkNet: the
encoder is ResNet-18, and the decoder goes on to full size in a fifth step, without a skip, instead of the
paper's three closing convolutions. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"


def build(in_channels: int, classes: int, pretrained: bool = False) -> nn.Module:
    """Build smp's Linknet on ResNet-18."""
    return network("Linknet", "resnet18", in_channels, classes, pretrained, MULTIPLE)
