"""Attention U-Net: Learning Where to Look for the Pancreas.

O. Oktay, J. Schlemper, L. Le Folgoc, M. Lee, M. Heinrich, K. Misawa, K. Mori, S. McDonagh, N. Y. Hammerla, B.
Kainz, B. Glocker, D. Rueckert, 2018. arXiv:1804.03999

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 31,739,185 parameters at
one channel in and one class out.

MONAI's AttentionUnet in two dimensions, at the widths of the study's U-Net (64 to 1,024). Its gates look at
signal and skip at the same size, where the paper's take the signal from one level further down; it has no
deep supervision.
"""

from torch import nn

from zoo.extras._checked import Checked

MULTIPLE = 16


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's AttentionUnet with fresh weights."""
    from monai.networks.nets import AttentionUnet

    net = AttentionUnet(2, in_channels, classes, channels=(64, 128, 256, 512, 1024), strides=(2, 2, 2, 2))
    return Checked(net, MULTIPLE, "monai_attention_unet")
