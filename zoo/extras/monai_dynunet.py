"""nnU-Net: Self-adapting Framework for U-Net-Based Medical Image Segmentation.

F. Isensee, J. Petersen, A. Klein, D. Zimmerer, P. F. Jaeger, S. Kohl, J. Wasserthal, G. Koehler, T.
Norajitra, S. Wirkert, K. H. Maier-Hein, 2018. arXiv:1809.10486

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 20,611,137 parameters at
one channel in and one class out.

MONAI's DynUNet, which is nnU-Net's network, planned by its rules for two dimensions: 3x3 convolutions,
strides instead of pooling, 32 channels doubled up to 512, instance normalisation, leaky ReLUs. Halved five
times; nnU-Net itself would halve slices of 256 pixels six times, which slices of 64 could not follow. Without
deep supervision, so that every network here minimises the same loss.
"""

from torch import nn

from zoo.extras._checked import Checked

HALVINGS = 5
MULTIPLE = 2**HALVINGS
SMALLEST = 64  # at 32, instance normalisation would see a single pixel
UNPRUNABLE = (
    "upsamples.4.conv_block.conv1.conv joins a map whose channels it does not find, "
    "because instance normalisation hides them"
)


def build(in_channels: int, classes: int) -> nn.Module:
    """Build MONAI's DynUNet with fresh weights."""
    from monai.networks.nets import DynUNet

    net = DynUNet(
        2,
        in_channels,
        classes,
        kernel_size=[3] * (HALVINGS + 1),
        strides=[1] + [2] * HALVINGS,
        upsample_kernel_size=[2] * HALVINGS,
    )
    return Checked(net, MULTIPLE, "monai_dynunet", SMALLEST)
