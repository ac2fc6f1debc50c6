"""Compilation of a network by torch.compile, all of it before the first epoch."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor.utils import fresh_cache

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
