"""Swin UNETR: Swin Transformers for Semantic Segmentation of Brain Tumors in MRI Images.

A. Hatamizadeh, V. Nath, Y. Tang, D. Yang, H. Roth, D. Xu, 2022. arXiv:2201.01266

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 6,302,203 parameters at
one channel in and one class out.

MONAI's SwinUNETR with its defaults, as people use it today, in two dimensions: 24 channels at first where the
paper has 48, windows of 7 x 7 tokens, patches of 2 x 2 pixels. Fresh weights.
"""

from torch import nn

from zoo.extras._checked import Checked

MULTIPLE = 32
SMALLEST = 64  # at 32, instance normalisation would see a single pixel
UNPRUNABLE = (
    "swinViT.layers3.0.blocks.0.attn.qkv makes several vectors for each token, "
    "and it takes them for channels of one"
)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's SwinUNETR with fresh weights."""
    from monai.networks.nets import SwinUNETR

    net = SwinUNETR(in_channels=in_channels, out_channels=classes, spatial_dims=2)
    return Checked(net, MULTIPLE, "monai_swin_unetr", SMALLEST)
