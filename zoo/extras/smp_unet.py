"""U-Net: Convolutional Networks for Biomedical Image Segmentation.

O. Ronneberger, P. Fischer, T. Brox, 2015. arXiv:1505.04597, doi:10.1007/978-3-319-24574-4_28

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; at one channel in and one
class out 14,321,937 parameters on ResNet-18, 32,514,833 parameters on ResNet-50.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. Not the study's U-Net: the
contracting path is a ResNet, which first halves with stride 2, and each step up doubles by the nearest
neighbour instead of by a transposed convolution. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"
VARIANTS = {"smp_unet_resnet18": {"encoder": "resnet18"}, "smp_unet_resnet50": {"encoder": "resnet50"}}


def build(in_channels: int, classes: int, encoder: str, pretrained: bool = False) -> nn.Module:
    """Build smp's Unet, with its defaults."""
    return network("Unet", encoder, in_channels, classes, pretrained, MULTIPLE)
