"""LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation.

A. Chaurasia, E. Culurciello, 2017. arXiv:1707.03718, doi:10.1109/VCIP.2017.8305148

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; at one channel in and one
class out 11,657,505 parameters on ResNet-18, 31,171,505 parameters on ResNet-50.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. Not the study's LinkNet: the
decoder of this one goes on to full size in a fifth step, without a skip, instead of the paper's three closing
convolutions. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"
VARIANTS = {"smp_linknet_resnet18": {"encoder": "resnet18"}, "smp_linknet_resnet50": {"encoder": "resnet50"}}


def build(in_channels: int, classes: int, encoder: str, pretrained: bool = False) -> nn.Module:
    """Build smp's Linknet, with its defaults."""
    return network("Linknet", encoder, in_channels, classes, pretrained, MULTIPLE)
