"""Training for 8-bit integers: torchao's PT2E path, which is the one that has convolutions.

B. Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only
inference, CVPR 2018, arXiv:1712.05877: weights and maps are rounded to the 256 values that integers will
have, while gradients flow as if they were not. The paper begins with that when the weights have settled.
"""

import copy
import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from zoo._registry import side_to_pad_to
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective

CALIBRATION_SLICES = 4  # in the batch that the graph is traced with; 1 would be taken for a constant
MOST_SLICES = 2**16  # in a batch


class Exported(nn.Module):
    """An exported graph that can be put into training and evaluation mode, which exported ones refuse."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Return what the graph returns."""
        return self.graph(image_NCHW)

    def train(self, mode: bool = True) -> Self:
        """Exchange dropout and batch normalisation in the graph, as torchao does it."""
        from torchao.quantization.pt2e import move_exported_model_to_eval, move_exported_model_to_train

        self.training = mode
        (move_exported_model_to_train if mode else move_exported_model_to_eval)(self.graph)
        return self


class Quantizing:
    """What rounding does to the training of a recipe: from when on, and how much of the network it is in.

    Attributes:
        first: the first epoch, from 1, whose figures are rounded.
    """

    def __init__(self, recipe: Recipe) -> None:
        # Takes seconds, and must not be billed to the first case: the warm-up has come here before.
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer

        config = x86_inductor_quantizer.get_default_x86_inductor_quantization_config(is_qat=True)
        self._quantizer = x86_inductor_quantizer.X86InductorQuantizer().set_global(config)
        self._recipe = recipe
        self.first = math.floor(recipe.int8_from * recipe.epochs) + 1
        self._told: dict[str, Any] = {"first_epoch": self.first}

    def graph(self, model: nn.Module, side: int) -> nn.Module:
        """Return a model's exported graph with roundings in it, not acting yet; the weights are the same.

        Raises:
            Ineffective: if there is no convolution or Linear layer whose weights will be rounded.
        """
        from torchao.quantization.pt2e import disable_fake_quant
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        side = side_to_pad_to(self._recipe.architecture, side)
        device = next(model.parameters()).device
        empty = torch.zeros(CALIBRATION_SLICES, 1, side, side, device=device)
        slices = torch.export.Dim("slices", min=1, max=MOST_SLICES)
        # Strict: without, some versions of torch leave all as it was, and say nothing.
        exported = torch.export.export(model.train(), (empty,), dynamic_shapes=({0: slices},), strict=True)
        graph = Exported(prepare_qat_pt2e(exported.module(), self._quantizer))
        graph.apply(disable_fake_quant)
        self.hold(graph)
        self._told |= {"roundings": len(_roundings(graph))}
        if not _roundings(graph):
            raise Ineffective(
                f"{self._recipe.technique}: torchao found no layer of {self._recipe.architecture} to round; "
                f"expected convolutions or Linear layers."
            )
        return graph

    def before(self, epoch: int, graph: nn.Module) -> bool:
        """Let the roundings act and learn their ranges from the first epoch on; say if that is this one."""
        from torchao.quantization.pt2e import enable_fake_quant, enable_observer

        if epoch >= self.first:
            graph.apply(enable_observer)
            graph.apply(enable_fake_quant)
        return epoch == self.first

    def hold(self, graph: nn.Module) -> None:
        """Keep the ranges as they are: what is only judged must not move them."""
        from torchao.quantization.pt2e import disable_observer

        graph.apply(disable_observer)

    def integers(self, graph: nn.Module) -> nn.Module:
        """Return the network whose weights are 8-bit integers; batch normalisation is folded into them."""
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        weights = sum(weight.numel() for weight in graph.parameters())
        network = Exported(_without_leftovers(convert_pt2e(copy.deepcopy(graph).eval().graph)))
        held = [value for value in network.buffers() if value.dtype == torch.int8]
        self._told |= {
            "layers_int8": len(held),
            "weights_int8": sum(v.numel() for v in held),
            "weights": weights,
        }
        return network

    def applied(self) -> dict[str, Any]:
        """Say how much of the network is in 8-bit integers, and from when on it was trained for that."""
        return {"int8_qat": self._told}


def _roundings(graph: nn.Module) -> list[nn.Module]:
    from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase

    return [module for module in graph.modules() if isinstance(module, FakeQuantizeBase)]


def _without_leftovers(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Drop the fp32 weights that integers have replaced, which torchao leaves beside them."""
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for name in {name for name, _ in graph.named_parameters()} - used:
        owner, _, weight = name.rpartition(".")
        delattr(graph.get_submodule(owner), weight)
    return graph
