"""Un-pooling: torch's own numbers, without its scattering."""

import pytest
import torch
from torch.nn import functional as F

from tests.networks import fresh, noise, silence
from zoo._registry import load
from zoo.architectures._unpool import unpool


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_unpooling_equals_torchs_bit_for_bit_and_so_does_its_gradient(dtype, layout):
    x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    x[:, 1] = 2.0  # ties: the first place wins
    pooled, places = F.max_pool2d(x.to(dtype).to(memory_format=layout), 2, return_indices=True)
    cotangent = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(1)).to(dtype)
    results = []
    for scatter in (unpool, lambda values, where: F.max_unpool2d(values, where, 2)):
        values = pooled.detach().clone().requires_grad_()
        unpooled = scatter(values, places)
        unpooled.backward(cotangent)
        results.append((unpooled.detach(), values.grad))

    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][0].is_contiguous(memory_format=layout)


def test_unpooling_does_not_spread_an_infinity():
    pooled, places = F.max_pool2d(torch.tensor([[[[1.0, torch.inf], [0.0, 2.0]]]]), 2, return_indices=True)

    assert unpool(pooled, places).flatten().tolist() == [0, torch.inf, 0, 0]


@pytest.mark.parametrize("name", ["segnet", "enet"])
@torch.no_grad()
def test_a_network_with_torchs_unpooling_gives_the_same_logits_bit_for_bit(name, monkeypatch):
    model = fresh(name).eval()
    ours = model(noise())
    monkeypatch.setattr(load("architectures", name), "unpool", lambda x, where: F.max_unpool2d(x, where, 2))

    assert torch.equal(model(noise()), ours)


@torch.no_grad()
def test_segnet_carries_places_and_nothing_else_across():
    """Silent from its deepest features on, all that it can still tell of a slice is where its maxima were."""
    model = fresh("segnet").eval()
    silence(model, "encoder.4")
    one, other = model(noise())
    model.pool.register_forward_hook(lambda layer, inputs, output: (output[0], torch.zeros_like(output[1])))
    blind, as_blind = model(noise())

    assert (one - other).abs().max() > 1e-6
    assert torch.equal(blind, as_blind)
