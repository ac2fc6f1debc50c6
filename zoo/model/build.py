"""The network of a recipe, ready to be trained: its 8-bit layers, its checkpoints, its layout in memory.

Activation checkpointing: stages of a network keep their input only, and are computed again in the backward
pass. The statistics of batch normalisation must not be moved a second time by that; torch alone would do so.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from zoo._registry import create, side_to_pad_to
from zoo.device.runtime import DTYPES
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective
from zoo.size import activation_bytes_per_slice, kept_bytes, weightless

FP8_MULTIPLE = 16  # of a layer's inputs and outputs: what the GPU's 8-bit matrix product takes
EMULATE_FP8 = False  # compute with the rounding of 8 bits, but in fp32: for tests without such a GPU
LARGEST_STAGE = 0.25  # of the layers: while a stage is computed again, all of it is in memory


def build(recipe: Recipe) -> nn.Module:
    """Build the recipe's network with fresh weights, on its device, in its format and layout."""
    model = create_network(recipe)
    if recipe.fp8_linear:
        model = convert_to_fp8(model)
    if recipe.checkpointing:
        model = checkpoint_stages(model)
    layout = torch.channels_last if recipe.channels_last else torch.preserve_format
    return model.to(recipe.device, DTYPES[recipe.weights], memory_format=layout)


def create_network(recipe: Recipe) -> nn.Module:
    """Create the recipe's architecture, before anything is done to it: every training begins here."""
    return create(recipe.architecture)


def find_fp8_layers(model: nn.Module) -> list[str]:
    """Name the layers that can compute in 8 bits: Linear, of a suitable size. Convolutions cannot."""
    return [name for name, layer in model.named_modules() if _suits_fp8(layer)]


def convert_to_fp8(model: nn.Module) -> nn.Module:
    """Exchange the layers that suit; their weights stay in fp32 and are cast in each pass."""
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training

    config = Float8LinearConfig(emulate=EMULATE_FP8, pad_inner_dim=True)
    return convert_to_float8_training(
        model, config=config, module_filter_fn=lambda layer, _name: _suits_fp8(layer)
    )


def account_fp8(model: nn.Module) -> dict[str, Any]:
    """Say how many layers compute in 8 bits, and how many with weights there are."""
    from torchao.float8.float8_linear import Float8Linear

    weighted = [
        layer for layer in model.modules() if isinstance(getattr(layer, "weight", None), nn.Parameter)
    ]
    return {
        "layers_fp8": sum(isinstance(layer, Float8Linear) for layer in weighted),
        "layers_with_weights": len(weighted),
    }


def _suits_fp8(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) and not any(
        features % FP8_MULTIPLE for features in (layer.in_features, layer.out_features)
    )


def checkpoint_stages(model: nn.Module) -> nn.Module:
    """Let each stage of a model keep only its input for the backward pass; names and weights stay."""
    for stage in find_stages(model):
        stage.forward = partial(_run, stage)
    return model


def find_stages(model: nn.Module) -> list[nn.Module]:
    """List the groups of layers that run as one module, none of them above `LARGEST_STAGE`."""
    return _stages_within(model, LARGEST_STAGE * _layers(model))


def account_checkpointing(recipe: Recipe, model: nn.Module, image_size: int) -> dict[str, Any]:
    """Say how many stages a model has, and what one more slice keeps in memory, without them and with.

    The bytes are counted on a network without weights, which computes nothing.

    Raises:
        Ineffective: if there is no stage.
    """
    found = len(find_stages(model))
    if not found:
        raise Ineffective(
            f"{recipe.technique}: {recipe.architecture} has no stage that could be computed again; expected "
            f"layers that are grouped in modules."
        )
    side = side_to_pad_to(recipe.architecture, image_size)
    saving = checkpoint_stages(weightless(recipe.architecture))
    few, many = (kept_bytes(saving, torch.empty(slices, 1, side, side, device="meta")) for slices in (2, 3))
    return {
        "stages": found,
        "plain_bytes_per_slice": activation_bytes_per_slice(recipe.architecture, image_size),
        "kept_bytes_per_slice": many - few,
    }


def _stages_within(module: nn.Module, most: float) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in module.children():
        runs = not isinstance(child, nn.ModuleList | nn.ModuleDict)  # those hold modules and run nothing
        found += [child] if runs and 1 < _layers(child) <= most else _stages_within(child, most)
    return found


def _layers(module: nn.Module) -> int:
    return sum(not list(layer.children()) for layer in module.modules())


def _run(stage: nn.Module, *inputs: Any, **named: Any) -> Any:
    forward = partial(type(stage).forward, stage)
    if not (stage.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, stage), **named)


def _contexts(stage: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _statistics_at_rest(stage)


@contextmanager
def _statistics_at_rest(stage: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the batch's statistics without adding them to the running ones."""
    norms = [
        (norm, norm.momentum, norm.num_batches_tracked.clone())
        for norm in stage.modules()
        if isinstance(norm, _BatchNorm) and norm.track_running_stats
    ]
    for norm, _, _ in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, batches in norms:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(batches)
