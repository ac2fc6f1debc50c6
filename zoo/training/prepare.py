"""What is done with a network before its first epoch, on empty slices: looked at, compiled, recorded."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.device.runtime import DTYPES
from zoo.model.build import account_checkpointing, account_fp8
from zoo.model.compiling import Compiled, Graphed
from zoo.model.forward import compute_logits, recipe_in_epoch, side_seen
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective
from zoo.training import losses


class Prepared:
    """A model made ready to be trained by a recipe, and what there is to tell of that.

    Args:
        model: keeps its weights and statistics.
        train_slices, val_slices: of one pass.

    Attributes:
        running: what the training steps call: the model, or the graph of it.
        applied: what was done so far, in JSON-able values.
    """

    def __init__(
        self, recipe: Recipe, model: nn.Module, image_size: int, train_slices: int, val_slices: int
    ) -> None:
        self._recipe, self._image_size = recipe, image_size
        self.running, self.applied = model, {}
        self._compiled: Compiled | None = None
        if recipe.fp8_linear:
            self.applied["fp8"] = account_fp8(model)
        if recipe.checkpointing:
            side = side_seen(recipe, image_size)
            self.applied["checkpointing"] = account_checkpointing(recipe, model, side)
        if (recipe.precision, recipe.weights) != ("fp32", "fp32") or recipe.channels_last:
            self.applied |= inspect_layers(recipe, model, image_size)
        if recipe.compile:
            with _unlearned(model):
                self._compiled = Compiled(model)
                self.applied |= self._compiled.make(self._passes(model, train_slices, val_slices))
        if recipe.cuda_graph:
            with _unlearned(model):
                batch = self._as_the_network_sees_it(self._empty(recipe.batch_size))
                self.running = Graphed(recipe, model.train(), batch)

    def account(self) -> dict[str, Any]:
        """Say what only the end can tell."""
        found = {} if self._compiled is None else self._compiled.account()
        return found | (self.running.account() if isinstance(self.running, Graphed) else {})

    def _passes(self, model: nn.Module, train: int, val: int) -> dict[str, Callable[[], None]]:
        """Name the kinds of pass that a training consists of: by mode, slices in a batch, and their size."""
        size = self._recipe.batch_size
        learning = {
            f"train {n}{name}": partial(self._learn, model, n, stage)
            for name, stage in self._stages().items()
            for n in _sizes(train, size)
        }
        judging = {f"val {n}": partial(self._judge, model, n) for n in _sizes(val, size)}
        return learning | judging

    def _stages(self) -> dict[str, Recipe]:
        """Name the recipes of the epochs to come that differ: by the side that the network will see."""
        if not self._recipe.resolution_stages:
            return {"": self._recipe}
        recipes = [recipe_in_epoch(self._recipe, number) for number in range(1, self._recipe.epochs + 1)]
        return {f" at {side_seen(recipe, self._image_size)} px": recipe for recipe in recipes}

    def _learn(self, model: nn.Module, slices: int, stage: Recipe) -> None:
        image = self._empty(slices)
        logits = compute_logits(stage, model.train(), image)
        losses.build(self._recipe)(logits, torch.zeros_like(image)).backward()

    @torch.no_grad()
    def _judge(self, model: nn.Module, slices: int) -> None:
        compute_logits(self._recipe, model.eval(), self._empty(slices))

    def _as_the_network_sees_it(self, image: Tensor) -> Tensor:
        """Return what becomes of a batch on its way to the network: its size, format and layout."""
        seen: list[Tensor] = []

        def network(batch: Tensor) -> Tensor:
            seen.append(batch)
            return batch

        compute_logits(self._recipe, network, image)
        return seen[0]

    def _empty(self, slices: int) -> Tensor:
        return torch.zeros(slices, 1, self._image_size, self._image_size, device=self._recipe.device)


def _sizes(slices: int, batch_size: int) -> list[int]:
    """List the batches of different size in a pass: full ones, and what is left over."""
    return [size for size in dict.fromkeys((min(batch_size, slices), slices % batch_size)) if size]


@contextmanager
def _unlearned(model: nn.Module) -> Iterator[None]:
    """Give a model its weights, statistics and mode back afterwards, and no gradients."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    was_training = model.training
    try:
        yield
    finally:
        model.load_state_dict(state)
        model.zero_grad(set_to_none=True)
        model.train(was_training)


def inspect_layers(recipe: Recipe, model: nn.Module, image_size: int) -> dict[str, Any]:
    """Run two empty slices through a model as the recipe says, and count its layers' outputs.

    Nothing is learned: the model is in eval mode meanwhile, so that its statistics stay as they are.
    Maps of one channel or one pixel are left out of the layouts, as they have both.

    Raises:
        Ineffective: if no layer has the format or the layout that the recipe wants.
    """
    outputs: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(_described(output)))
        for layer in model.modules()
        if not list(layer.children())
    ]
    was_training = model.training
    with torch.no_grad():
        compute_logits(recipe, model.eval(), torch.zeros(2, 1, image_size, image_size, device=recipe.device))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    told = _counted([output for output in outputs if output is not None])
    _require_effect(recipe, told)
    return told


def _described(output: Any) -> tuple[str, str | None] | None:
    if not isinstance(output, Tensor):
        return None
    layout = None
    if output.ndim == 4 and output.shape[1] > 1 and output.shape[2:].numel() > 1:
        layout = "nhwc" if output.is_contiguous(memory_format=torch.channels_last) else "other"
    return str(output.dtype).removeprefix("torch."), layout


def _counted(outputs: list[tuple[str, str | None]]) -> dict[str, Any]:
    layouts = [layout for _, layout in outputs if layout is not None]
    return {
        "layers_by_format": dict(Counter(dtype for dtype, _ in outputs)),
        "layers_nhwc": layouts.count("nhwc"),
        "layers_with_layout": len(layouts),
    }


def _require_effect(recipe: Recipe, told: dict[str, Any]) -> None:
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
