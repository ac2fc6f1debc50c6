"""What is done to a network's passes as a whole: compiled by torch.compile, or recorded as a CUDA graph.

Both happen before the first epoch. A CUDA graph of the forward and the backward pass is recorded once and
replayed as a whole in each step: its kernels are the same; what is saved is the CPU's work of starting them.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor.utils import fresh_cache

from zoo.device.runtime import autocast
from zoo.recipes.recipe import Recipe
from zoo.results import Ineffective

BACKEND = "inductor"


class Compiled:
    """A compiled network: how many graphs were made of it, and when.

    Args:
        model: compiled in its place, so that its weights keep their names. Copies of it are not compiled.

    Attributes:
        graphs: made so far.
    """

    def __init__(self, model: nn.Module) -> None:
        torch.compiler.reset()  # else a second seed would find the first one's graphs, and cost nothing
        self.graphs, self._told = 0, {}
        self._compile = torch._dynamo.lookup_backend(BACKEND)
        model.compile(backend=self._count)

    def _count(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return self._compile(graph, inputs)

    def make(self, passes: dict[str, Callable[[], None]]) -> dict[str, Any]:
        """Run the passes, which compiles what they need, with nothing in the compiler's caches.

        Raises:
            Ineffective: if nothing was compiled.
        """
        started, before = time.perf_counter(), _breaks()
        with fresh_cache():
            for run in passes.values():
                run()
        if not self.graphs:
            raise Ineffective(
                "compile: torch.compile made no graph of the network; is it switched off "
                "(TORCHDYNAMO_DISABLE, TORCH_COMPILE_DISABLE)?"
            )
        self._told = {
            "graphs": self.graphs,
            "breaks": _breaks() - before,
            "passes": list(passes),
            "seconds": time.perf_counter() - started,
        }
        return {"compile": self._told}

    def account(self) -> dict[str, Any]:
        """Say what was compiled before the training, and how many graphs had to be made during it."""
        return {"compile": {**self._told, "graphs_in_training": self.graphs - self._told["graphs"]}}


def _breaks() -> int:
    """Count the places at which torch had to leave a network to Python, in this process."""
    return sum(counters["graph_break"].values())


class Graphed(nn.Module):
    """A network that replays its graph for batches of the shape recorded, and runs as it is for others.

    Args:
        model: in training mode; batches in evaluation never replay. The graph uses its weights where they
            lie in memory.
        batch: of the shape, format and device to be recorded, as the network sees it.

    Attributes:
        replayed, eager: training passes so far, by the graph and without it.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, batch: Tensor) -> None:
        super().__init__()
        self.model, self.replayed, self.eager = model, 0, 0
        self._technique, self._shape = recipe.technique, batch.shape
        # Casts kept from the recording would be stale weights in every replay.
        with autocast(recipe, cache=False):
            recorded = torch.cuda.make_graphed_callables(_Shell(model), (batch,), allow_unused_input=True)
        self._replay = [recorded]  # in a list, so that it is no part of this module

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits."""
        if image.shape == self._shape and self.model.training:
            self.replayed += 1
            return self._replay[0](image)
        self.eager += self.model.training
        return self.model(image)

    def account(self) -> dict[str, Any]:
        """Say how often the graph was replayed.

        Raises:
            Ineffective: if it never was.
        """
        if not self.replayed:
            raise Ineffective(
                f"{self._technique}: a graph for batches of {tuple(self._shape)} was recorded, but none of "
                f"{self.eager} training batches had that shape; expected batch_size slices or more."
            )
        return {
            "cuda_graph": {"shape": list(self._shape), "replayed": self.replayed, "eager": self.eager},
        }


class _Shell(nn.Module):
    """A network in a module of its own: a recording exchanges its forward, and copies would share that."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image)
