"""U-Net: deep learning for cell counting, detection, and morphometry.

T. Falk et al., 2019. Nature Methods 16, 67-70, doi:10.1038/s41592-018-0261-2

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 16; 1,978,433 parameters at
one channel in and one class out.

MONAI's BasicUNet with its defaults, as people use it today: the U-Net that its authors published for Fiji,
with leaky ReLUs, instance normalisation with learnt scales, and 32 channels at first, half the study's
U-Net's, then a quarter of its widths (32 to 256).
"""

from torch import nn

from zoo.extras._checked import Checked

MULTIPLE = 16
SMALLEST = 32  # at 16, instance normalisation would see a single pixel
UNPRUNABLE = (
    "upcat_1.convs.conv_0.conv joins a map whose channels it does not find, "
    "because instance normalisation hides them"
)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's BasicUNet with fresh weights."""
    from monai.networks.nets import BasicUNet

    net = BasicUNet(spatial_dims=2, in_channels=in_channels, out_channels=classes)
    return Checked(net, MULTIPLE, "monai_basic_unet", SMALLEST)
