"""SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers.

E. Xie, W. Wang, Z. Yu, A. Anandkumar, J. M. Álvarez, P. Luo, 2021. arXiv:2105.15203

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; at one channel in and one
class out 3,711,265 parameters on MiT-B0, 24,716,097 parameters on MiT-B2.

segmentation-models-pytorch's (smp), with its defaults, as people use it today. The encoder is the paper's;
the logits, at 1/4, are enlarged to the input's size, as in the paper's evaluation. Weights are fresh unless
ImageNet's are asked for.
"""

from torch import nn

from zoo.extras._smp import network

MULTIPLE = 32
UNPRUNABLE = (
    "encoder.block3.0.attn.kv makes several vectors for each token, and it takes them for channels of one"
)
PRETRAINED = "ImageNet"
VARIANTS = {"smp_segformer_mit_b0": {"encoder": "mit_b0"}, "smp_segformer_mit_b2": {"encoder": "mit_b2"}}


def build(in_channels: int, classes: int, encoder: str, pretrained: bool = False) -> nn.Module:
    """Build smp's Segformer, with its defaults."""
    return network("Segformer", encoder, in_channels, classes, pretrained, MULTIPLE)
