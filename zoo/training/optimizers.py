"""The optimisers, by the recipe's name, and what their state takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from monai.optimizers import Novograd
from torch import Tensor, nn

from zoo.device import runtime
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective
from zoo.training.novograd import ForeachNovograd

EIGHT_BIT_FROM = 4096  # numbers in a tensor; bitsandbytes' own limit: below it little is saved and much lost
MATRIX_FROM = 4  # rows and columns; timm's own limit: smaller ones have hardly a direction to balance


def build(recipe: Recipe, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Build the recipe's optimiser for all weights of a model, ready for a step.

    Raises:
        Ineffective: if no weight is such as the optimiser is meant for.
    """
    return _OPTIMIZERS[recipe.optimizer](list(model.parameters()), learning_rate, recipe)


def account(recipe: Recipe, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Count what an optimiser holds: tensors of weights it has state for, bytes, and in what form.

    Of Muon, say also in which format it multiplies.

    Raises:
        Ineffective: if 8-bit states were asked for and none is held.
    """
    states = [state for state in optimizer.state.values() if state]
    held = {id(value): value for state in states for value in state.values() if isinstance(value, Tensor)}
    in_8_bit = sum(_is_8_bit(state) for state in states)
    if recipe.optimizer == "adam_8bit" and not in_8_bit:
        raise Ineffective(f"adam_8bit was to hold 8-bit states; none of its {len(states)} states is one.")
    return {
        "tensors": len(states),
        "tensors_in_8_bit": in_8_bit,
        "tensors_by_muon": sum(bool(state.get("use_muon")) for state in states),
        "bytes": sum(value.nbytes for value in held.values()),  # the code tables of 8 bit are shared
        **({"products": _products_format(recipe)} if recipe.optimizer == "muon" else {}),
    }


def _is_8_bit(state: dict[str, Any]) -> bool:
    return any(isinstance(value, Tensor) and value.dtype == torch.uint8 for value in state.values())


def _adam(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        weights, lr=rate, betas=recipe.betas, eps=_epsilon(recipe), amsgrad=recipe.amsgrad
    )


def _adamw_fused(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        weights,
        lr=rate,
        betas=recipe.betas,
        eps=_epsilon(recipe),
        amsgrad=recipe.amsgrad,
        weight_decay=0,
        fused=True,
    )


def _epsilon(recipe: Recipe) -> float:
    """Return what Adam adds to its divisor: its own 1e-8 is 0 in float16, where weights are kept in that."""
    return 1e-4 if recipe.weights == "fp16" else 1e-8


def _novograd(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    return Novograd(weights, lr=rate, betas=recipe.betas, amsgrad=recipe.amsgrad)


def _novograd_foreach(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    return ForeachNovograd(weights, lr=rate, betas=recipe.betas, amsgrad=recipe.amsgrad)


def _adam_8bit(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    from bitsandbytes.optim import Adam8bit  # an optional package

    largest = max(weight.numel() for weight in weights)
    if largest < EIGHT_BIT_FROM:
        raise Ineffective(
            f"adam_8bit keeps 8-bit states of tensors of {EIGHT_BIT_FROM} weights or more; the largest of "
            f"the {len(weights)} tensors of {recipe.architecture} has {largest}: use adam for it."
        )
    return Adam8bit(weights, lr=rate, betas=recipe.betas, min_8bit_size=EIGHT_BIT_FROM)


def _schedule_free(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    from schedulefree import AdamWScheduleFree  # an optional package

    optimizer = AdamWScheduleFree(weights, lr=rate, betas=recipe.betas)
    optimizer.train()
    return optimizer


def _muon(weights: list[nn.Parameter], rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    from timm.optim import muon  # imports torchvision, which nothing else here needs

    class Muon(muon.Muon):
        """timm's, whose products are always in bfloat16, with products in the format that the device has."""

        def step(self, closure: Callable[[], Any] | None = None) -> Any:
            with _exchanged(muon, "zeropower_via_newtonschulz", dtype=runtime.DTYPES[products]):
                return super().step(closure)

    products = _products_format(recipe)
    matrices = [weight for weight in weights if _is_matrix(weight)]
    if not matrices:
        raise Ineffective(
            f"muon balances matrices of {MATRIX_FROM} rows and columns or more; none of the {len(weights)} "
            f"tensors of {recipe.architecture} is one: use adam for it."
        )
    rest = [weight for weight in weights if not _is_matrix(weight)]
    groups = [{"params": matrices, "use_muon": True}, {"params": rest, "use_muon": False}]
    # Balanced steps are made as long as Adam's usually are, so that Adam's rate serves both.
    return Muon(
        [group for group in groups if group["params"]],
        lr=rate,
        betas=recipe.betas,
        adjust_lr_fn="match_rms_adamw",
        conv_mode="flatten",
    )


def _products_format(recipe: Recipe) -> str:
    """Name the format of Muon's products: bf16, or fp32 where that is emulated, at fifty times the cost."""
    return "bf16" if runtime.has_native_bf16(recipe.device) else "fp32"


@contextmanager
def _exchanged(module: Any, name: str, **arguments: Any) -> Iterator[None]:
    """Give a library's function arguments that its caller does not hand on."""
    function = getattr(module, name)
    setattr(module, name, partial(function, **arguments))
    try:
        yield
    finally:
        setattr(module, name, function)


def _is_matrix(weight: Tensor) -> bool:
    """Tell if a kernel (out, in, height, width), read as a matrix of out rows, mixes channels.

    A depthwise kernel has one input channel, the last layer one output channel: there is nothing to balance.
    """
    return weight.ndim > 1 and weight.shape[1] > 1 and min(len(weight), weight[0].numel()) >= MATRIX_FROM


_OPTIMIZERS = {
    "adam": _adam,
    "adamw_fused": _adamw_fused,
    "adam_8bit": _adam_8bit,
    "novograd": _novograd,
    "novograd_foreach": _novograd_foreach,
    "schedule_free": _schedule_free,
    "muon": _muon,
}
