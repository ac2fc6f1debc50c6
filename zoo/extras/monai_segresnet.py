"""SegResNet: 3D MRI brain tumor segmentation using autoencoder regularization.

A. Myronenko, 2018. arXiv:1810.11654

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 8; 394,977 parameters at one
channel in and one class out.

MONAI's SegResNet with its defaults, as people use it today, in two dimensions: residual blocks with group
normalisation, eight channels at full size, and neither the paper's autoencoder branch nor its dropout.
"""

from torch import nn

from zoo.extras._checked import Checked

MULTIPLE = 8


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's SegResNet with fresh weights."""
    from monai.networks.nets import SegResNet

    net = SegResNet(spatial_dims=2, in_channels=in_channels, out_channels=classes)
    return Checked(net, MULTIPLE, "monai_segresnet")
