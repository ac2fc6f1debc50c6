"""MobileNetV3 (A. Howard et al., 2019, arXiv:1905.02244): the structure of the paper's table 2 (small) with
the last three blocks dilated instead of strided, and of its section 6.3's head, reduced. Blocks: 1x1 to the
expansion, depthwise convolution, excitation, activation, 1x1 to the width, added to the input where shapes
agree; each convolution normalised. Head: a 1x1 convolution, weighed per channel by a gate from the mean of
the image; 1x1 to the classes, enlarged 16 times at once.
"""

from torch import Tensor
from torch.nn import functional as F

from tests.twins._layers import Weights, conv, enlarged, norm

# kernel, channels expanded, out; excited; activation; stride; dilation
ROWS = (
    (3, 16, 16, True, "relu", 2, 1),
    (3, 72, 24, False, "relu", 2, 1),
    (3, 88, 24, False, "relu", 1, 1),
    (5, 96, 40, True, "hard swish", 2, 1),
    (5, 240, 40, True, "hard swish", 1, 1),
    (5, 240, 40, True, "hard swish", 1, 1),
    (5, 120, 48, True, "hard swish", 1, 1),
    (5, 144, 48, True, "hard swish", 1, 1),
    (5, 288, 96, True, "hard swish", 1, 2),
    (5, 576, 96, True, "hard swish", 1, 2),
    (5, 576, 96, True, "hard swish", 1, 2),
)


def hard_sigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp(0, 6) / 6


def activated(x: Tensor, activation: str) -> Tensor:
    return F.relu(x) if activation == "relu" else x * hard_sigmoid(x)


def logits(weights: Weights, image_NCHW: Tensor) -> Tensor:
    def normalised(convolution: str, normalisation: str, x: Tensor, *shape: int) -> Tensor:
        return norm(weights, normalisation, conv(weights, convolution, x, *shape))

    def excited(name: str, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * hard_sigmoid(
            conv(weights, f"{name}.excite", F.relu(conv(weights, f"{name}.squeeze", mean)))
        )

    x = activated(normalised("stem.0", "stem.1", image_NCHW, 2), "hard swish")
    for number, (kernel, expanded, out, excite, activation, stride, dilation) in enumerate(ROWS):
        layers = f"blocks.{number}.layers"
        assert weights[f"{layers}.1.weight"].shape == (expanded, 1, kernel, kernel)
        y = activated(normalised(f"{layers}.0.0", f"{layers}.0.1", x), activation)
        y = normalised(f"{layers}.1", f"{layers}.2", y, stride, dilation, expanded)
        if excite:
            y = excited(f"{layers}.3", y)
        y = normalised(f"{layers}.5.0", f"{layers}.5.1", activated(y, activation))
        x = x + y if stride == 1 and x.shape[1] == out else y
    x = activated(normalised("last.0", "last.1", x), "hard swish")
    gate = conv(weights, "gate.0", x.mean((2, 3), keepdim=True)).sigmoid()
    x = F.relu(normalised("features.0", "features.1", x)) * gate
    return enlarged(conv(weights, "head", x), 16)
