"""U-Net: Convolutional Networks for Biomedical Image Segmentation.

O. Ronneberger, P. Fischer, T. Brox, 2015. arXiv:1505.04597, doi:10.1007/978-3-319-24574-4_28

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 14,321,937 parameters at
one channel in and one class out.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. Not the study's U-Net: the
contracting path is ResNet-18, which first halves with stride 2, and each step up doubles by the nearest
neighbour instead of by a transposed convolution. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"


def build(in_channels: int, classes: int, pretrained: bool = False) -> nn.Module:
    """Build smp's Unet on ResNet-18."""
    return network("Unet", "resnet18", in_channels, classes, pretrained, MULTIPLE)
