"""What the tests of the networks have in common: a fresh one, noise to feed it, one step, a look inside."""

import pytest
import torch
from torch import nn

import zoo
from tests import study

every_network = pytest.mark.parametrize("name", zoo.architectures())
every_network_of_the_study = pytest.mark.parametrize("name", study.NETWORKS)


def count(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def fresh(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return zoo.create(name)


def weightless(name: str, in_channels: int = 1, classes: int = 1) -> nn.Module:
    """Build a network of shapes alone, which is ready and runs at once."""
    if "segformer" in name or "swin" in name:  # which read numbers back while they are built
        return zoo.create(name, in_channels, classes).to("meta")
    with torch.device("meta"):
        return zoo.create(name, in_channels, classes)


def noise(number: int = 2, size: int = 64) -> torch.Tensor:
    return torch.randn(number, 1, size, size, generator=torch.Generator().manual_seed(1))


def step(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Go forward and backward as a training step does, with a loss that every logit counts in."""
    logits = model(images)
    logits.float().square().mean().backward()
    return logits


def gradients(model: nn.Module) -> dict[str, torch.Tensor | None]:
    return {name: weights.grad for name, weights in model.named_parameters()}


def outputs(model: nn.Module, stages: list[str], x: torch.Tensor) -> list[torch.Tensor]:
    """What each stage gives, in the order of their names."""
    seen = {}
    for stage in stages:
        model.get_submodule(stage).register_forward_hook(
            lambda layer, inputs, output, stage=stage: seen.update({stage: output})
        )
    model(x)
    return [seen[stage] for stage in stages]


@torch.no_grad()
def shapes(model: nn.Module, stages: list[str], size: int = 64) -> list[tuple[int, ...]]:
    """What each stage gives for one slice, without the slice."""
    return [tuple(output.shape[1:]) for output in outputs(model.eval(), stages, noise(1, size))]


def silence(model: nn.Module, stage: str) -> None:
    model.get_submodule(stage).register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))
