"""What a forward pass looks like from inside: in which format and layout the layers hand on their maps."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from zoo.formats import DTYPES
from zoo.model.forward import logits_of
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective


def look(recipe: Recipe, model: nn.Module, image_size: int) -> dict[str, Any]:
    """Run two empty slices through a model as the recipe says, and count its layers' outputs.

    Nothing is learned: the model is in eval mode meanwhile, so that its statistics stay as they are.
    Maps of one channel or one pixel are left out of the layouts, as they have both.

    Raises:
        Ineffective: if no layer has the format or the layout that the recipe wants.
    """
    outputs: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(_account(output)))
        for layer in model.modules()
        if not list(layer.children())
    ]
    was_training = model.training
    with torch.no_grad():
        logits_of(recipe, model.eval(), torch.zeros(2, 1, image_size, image_size, device=recipe.device))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    told = _told([output for output in outputs if output is not None])
    _require(recipe, told)
    return told


def _account(output: Any) -> tuple[str, str | None] | None:
    if not isinstance(output, Tensor):
        return None
    layout = None
    if output.ndim == 4 and output.shape[1] > 1 and output.shape[2:].numel() > 1:
        layout = "nhwc" if output.is_contiguous(memory_format=torch.channels_last) else "other"
    return str(output.dtype).removeprefix("torch."), layout


def _told(outputs: list[tuple[str, str | None]]) -> dict[str, Any]:
    layouts = [layout for _, layout in outputs if layout is not None]
    return {
        "layers_by_format": dict(Counter(dtype for dtype, _ in outputs)),
        "layers_nhwc": layouts.count("nhwc"),
        "layers_with_layout": len(layouts),
    }


def _require(recipe: Recipe, told: dict[str, Any]) -> None:
    for wanted in {recipe.precision, recipe.weights} - {"fp32"}:
        dtype = str(DTYPES[wanted]).removeprefix("torch.")
        if dtype not in told["layers_by_format"]:
            raise Ineffective(
                f"{recipe.technique}: no layer of {recipe.architecture} computed in {wanted}; its layers' "
                f"outputs were {told['layers_by_format']}."
            )
    if recipe.channels_last and not told["layers_nhwc"]:
        raise Ineffective(
            f"{recipe.technique}: none of {told['layers_with_layout']} layers of {recipe.architecture} "
            f"handed on channels last; expected convolutions to keep that layout."
        )
