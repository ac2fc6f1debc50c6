"""FPN: Panoptic Feature Pyramid Networks.

A. Kirillov, R. Girshick, K. He, P. Dollár, 2019. arXiv:1901.02446

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; at one channel in and one
class out 13,040,961 parameters on ResNet-18, 26,109,761 parameters on ResNet-50.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. The semantic branch of that
paper on a feature pyramid (T.-Y. Lin et al., arXiv:1612.03144) over a ResNet. Pyramid, widths and dropout
(0.2) are smp's. Weights are fresh unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
PRETRAINED = "ImageNet"
VARIANTS = {"smp_fpn_resnet18": {"encoder": "resnet18"}, "smp_fpn_resnet50": {"encoder": "resnet50"}}


def build(in_channels: int, classes: int, encoder: str, pretrained: bool = False) -> nn.Module:
    """Build smp's FPN, with its defaults."""
    return network("FPN", encoder, in_channels, classes, pretrained, MULTIPLE)
