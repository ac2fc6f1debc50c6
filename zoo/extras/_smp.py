"""Networks of segmentation-models-pytorch (smp): an encoder known from ImageNet, and a decoder."""

from torch import nn

from zoo.extras._checked import Checked

ADVICE = (
    "They are downloaded from Hugging Face at their first use and kept in its cache: connect this machine "
    "once, or leave out `pretrained`."
)


def network(
    decoder: str, encoder: str, in_channels: int, classes: int, pretrained: bool, multiple: int
) -> nn.Module:
    """Build smp's `decoder` on its `encoder`, with fresh weights or with an encoder trained on ImageNet.

    Raises:
        OSError: if the weights cannot be had.
    """
    import segmentation_models_pytorch as smp

    name, weights = f"smp_{decoder.lower()}_{encoder}", "imagenet" if pretrained else None
    try:
        net = getattr(smp, decoder)(
            encoder, encoder_weights=weights, in_channels=in_channels, classes=classes
        )
    except OSError as problem:
        what = f"{name}: the ImageNet weights of {encoder} could not be had"
        raise OSError(f"{what} ({type(problem).__name__}: {problem}). {ADVICE}") from problem
    return Checked(net, multiple, name)
