"""FPN: Panoptic Feature Pyramid Networks.

A. Kirillov, R. Girshick, K. He, P. Dollár, 2019. arXiv:1901.02446

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 13,040,961 parameters at
one channel in and one class out.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. The semantic branch of that
paper on a feature pyramid (T.-Y. Lin et al., arXiv:1612.03144) over ResNet-18. Pyramid, widths and dropout
(0.2) are smp's. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"


def build(in_channels: int, classes: int, pretrained: bool = False) -> nn.Module:
    """Build smp's FPN on ResNet-18."""
    return network("FPN", "resnet18", in_channels, classes, pretrained, MULTIPLE)
