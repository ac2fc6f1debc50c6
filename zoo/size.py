"""The size of a network: parameters, multiply-accumulates, and what a training step keeps in memory."""

import copy
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zoo._registry import create, side_to_pad_to


def parameters(model: nn.Module) -> int:
    """Count the weights that are trained."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


def weightless(architecture: str, in_channels: int = 1) -> nn.Module:
    """Build a network that has shapes but no weights: it runs at once and computes nothing.

    Torch's random state is left as it was.
    """
    # Not under torch.device("meta"): MONAI's Swin UNETR reads numbers back while it is built.
    with torch.random.fork_rng(devices=()):
        return create(architecture, in_channels).to("meta")


def logits_shape(architecture: str, image_size: int) -> tuple[int, ...]:
    """Return the shape (classes, H, W) of one slice's logits, of the padded size, without computing them."""
    side = side_to_pad_to(architecture, image_size)
    with torch.no_grad():
        logits = weightless(architecture).eval()(torch.empty(1, 1, side, side, device="meta"))
    return tuple(logits.shape[1:])


@cache
def macs_per_slice(architecture: str, image_size: int, in_channels: int = 1) -> int:
    """Count the multiply-accumulates of one forward pass of one slice, without computing it.

    Slices are padded as in training. Torch counts two operations per multiply-accumulate, of convolutions and
    matrix products only.
    """
    return _macs(weightless(architecture, in_channels), architecture, image_size, in_channels)


def count_macs(model: nn.Module, architecture: str, image_size: int, in_channels: int = 1) -> int:
    """Count the same of a network that is no longer the architecture's own, as after pruning."""
    return _macs(copy.deepcopy(model).to("meta"), architecture, image_size, in_channels)


def _macs(model: nn.Module, architecture: str, image_size: int, in_channels: int) -> int:
    side = side_to_pad_to(architecture, image_size)
    batch = torch.empty(1, in_channels, side, side, device="meta", dtype=next(model.parameters()).dtype)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(batch)
    return counter.get_total_flops() // 2


@cache
def activation_bytes_per_slice(architecture: str, image_size: int) -> int:
    """Count the bytes that one more slice in an fp32 training step keeps for the backward pass.

    Slices of one channel, padded as in training, without computing anything. The figure is that of torch's
    operations as such: kernels may keep workspace beyond it, and compilers may keep less.
    """
    side = side_to_pad_to(architecture, image_size)
    model = weightless(architecture)
    few, many = (kept_bytes(model, torch.empty(slices, 1, side, side, device="meta")) for slices in (2, 3))
    return many - few


def kept_bytes(model: nn.Module, batch: torch.Tensor) -> int:
    """Count the bytes that autograd keeps of one forward pass in training mode, each memory once.

    That includes what the batch needs once, such as weights and statistics.
    """
    kept: dict[int, torch.Tensor] = {}  # holds the tensors, so that no memory is freed and counted again

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.train()(batch)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
