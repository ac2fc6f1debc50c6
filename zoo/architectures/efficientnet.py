"""EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks: B0, with MA-Net's decoder.

M. Tan, Q. V. Le, 2019. arXiv:1905.11946

MA-Net is T. Fan, G. Wang, Y. Li, H. Wang, 2020: a multi-scale attention net for liver and tumor segmentation,
IEEE Access 8, doi:10.1109/ACCESS.2020.3025372.

Slices (N, in_channels, H, W) to logits (N, classes, H, W); H and W multiples of 32; 8,679,621 parameters at
one channel in and one class out. The paper's 5.3 M are the B0 classifier's.

Encoder and decoder are segmentation-models-pytorch's (smp), because this is the only EfficientNet that the
study's code could run. Two differences: the convolution to 1,280 channels and its normalisation, which only
a classifier uses, are taken away (412,160 parameters that would get no gradient), and there is no sigmoid.
Three traits of smp's are kept: the position attention reads its result, 320 channels for each pixel, as 320
maps without turning the axes; some channel gates have only one or two hidden units, which a draw of weights
can leave dead (the gate is then a constant); and the encoder's batch statistics move slowly (momentum 0.01),
so that evaluation lags behind training for some hundreds of steps. The weights are fresh: nothing is
downloaded.
"""

from torch import Tensor, nn

from zoo.architectures._input import require_multiple

MULTIPLE = 32
UNPRUNABLE = "decoder.center, the attention to positions, reads channels as pixels; following all takes 6 GB"


class EfficientNet(nn.Module):
    """B0 down to 1/32, attention over positions there, and attention over channels at each level up."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        from segmentation_models_pytorch import MAnet

        net = MAnet("efficientnet-b0", encoder_weights=None, in_channels=in_channels, classes=classes)
        self.encoder, self.decoder, self.head = net.encoder, net.decoder, net.segmentation_head
        del self.encoder._conv_head, self.encoder._bn1

    def forward(self, x: Tensor) -> Tensor:
        """Segment slices (N, in_channels, H, W) into logits (N, classes, H, W)."""
        require_multiple(x, MULTIPLE, "efficientnet")
        features = self.encoder(x)  # the slice, 32 @ 1/2, 24 @ 1/4, 40 @ 1/8, 112 @ 1/16, 320 @ 1/32
        return self.head(self.decoder(features))


def build(in_channels: int, classes: int) -> nn.Module:
    """Build an EfficientNet-B0 with MA-Net's decoder, with fresh weights."""
    return EfficientNet(in_channels, classes)
