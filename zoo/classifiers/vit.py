"""ViT: An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.

A. Dosovitskiy, L. Beyer, A. Kolesnikov, D. Weissenborn, X. Zhai, T. Unterthiner, M. Dehghani, M. Minderer, G.
Heigold, S. Gelly, J. Uszkoreit, N. Houlsby, 2020. arXiv:2010.11929

Slices (N, in_channels, S, S) to logits (N, classes), S a multiple of 16; 21,400,321 parameters for slices of
64 pixels at one channel in and one class out (places are learnt one by one).

timm's ViT-S on patches of 16 x 16 pixels, near Swin-T in size (H. Touvron et al., arXiv:2012.12877, gave it
its widths). Selvan et al. 2024 (arXiv:2303.10181) name the family, and their code takes any of timm's. Fresh
weights: nothing is downloaded.
"""

from torch import nn

from zoo.classifiers._timm import network

MULTIPLE = 16


def build(image_size: int, in_channels: int, classes: int) -> nn.Module:
    """Build timm's ViT-S with fresh weights."""
    return network(
        "vit", "vit_small_patch16_224", MULTIPLE, image_size, in_channels, classes, img_size=image_size
    )
