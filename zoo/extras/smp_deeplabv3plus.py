"""DeepLabV3+: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation.

L.-C. Chen, Y. Zhu, G. Papandreou, F. Schroff, H. Adam, 2018. arXiv:1802.02611

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; at one channel in and one
class out 12,323,025 parameters on ResNet-18, 26,671,313 parameters on ResNet-50.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. The encoder is a ResNet, its
last stage dilated so that it ends at 1/16, instead of the paper's Xception. One branch of the pyramid
normalises a single pixel over the batch, so that a training step needs two slices or more. Weights are fresh
unless ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 16
PRETRAINED = "ImageNet"
VARIANTS = {
    "smp_deeplabv3plus_resnet18": {"encoder": "resnet18"},
    "smp_deeplabv3plus_resnet50": {"encoder": "resnet50"},
}


def build(in_channels: int, classes: int, encoder: str, pretrained: bool = False) -> nn.Module:
    """Build smp's DeepLabV3Plus, with its defaults."""
    return network("DeepLabV3Plus", encoder, in_channels, classes, pretrained, MULTIPLE)
