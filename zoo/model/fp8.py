"""Matrix products in 8-bit floating point: torchao's Float8Linear in the place of nn.Linear."""

from typing import Any

from torch import nn

MULTIPLE = 16  # of a layer's inputs and outputs: what the GPU's 8-bit matrix product takes
EMULATE = False  # compute with the rounding of 8 bits, but in fp32: for tests without such a GPU


def suited(model: nn.Module) -> list[str]:
    """Name the layers that can compute in 8 bits: Linear, of a suitable size. Convolutions cannot."""
    return [name for name, layer in model.named_modules() if _is_suited(layer)]


def converted(model: nn.Module) -> nn.Module:
    """Exchange the suited layers; their weights stay in fp32 and are cast in each pass."""
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training

    config = Float8LinearConfig(emulate=EMULATE, pad_inner_dim=True)
    return convert_to_float8_training(
        model, config=config, module_filter_fn=lambda layer, _name: _is_suited(layer)
    )


def account(model: nn.Module) -> dict[str, Any]:
    """Say how many layers compute in 8 bits, and how many with weights there are."""
    from torchao.float8.float8_linear import Float8Linear

    weighted = [
        layer for layer in model.modules() if isinstance(getattr(layer, "weight", None), nn.Parameter)
    ]
    return {
        "layers_fp8": sum(isinstance(layer, Float8Linear) for layer in weighted),
        "layers_with_weights": len(weighted),
    }


def _is_suited(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) and not any(
        features % MULTIPLE for features in (layer.in_features, layer.out_features)
    )
