"""DeepLabV3+: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation.

L.-C. Chen, Y. Zhu, G. Papandreou, F. Schroff, H. Adam, 2018. arXiv:1802.02611

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 26,671,313 parameters at
one channel in and one class out.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. The encoder is ResNet-50, its
last stage dilated so that it ends at 1/16, instead of the paper's Xception. One branch of the pyramid
normalises a single pixel over the batch, so that a training step needs two slices or more. Weights are fresh
unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 16
PRETRAINED = "ImageNet"


def build(in_channels: int, classes: int, pretrained: bool = False) -> nn.Module:
    """Build smp's DeepLabV3Plus on ResNet-50."""
    return network("DeepLabV3Plus", "resnet50", in_channels, classes, pretrained, MULTIPLE)
