"""What no count of parameters shows: dropout, batch normalisation's epsilon, and how logits are enlarged."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from tests.networks import every_network_of_the_study, fresh, noise, outputs

# {probability: how many layers drop that much, and the layers that must fall silent with them}: the last
# normalisation before a sum or a concatenation, or else the convolution that reads what was dropped.
DROPS = {
    "enet": {
        0.01: (1 + 4, r"(down1|stage1\.\d)\.side\.7"),
        0.1: (1 + 8 + 8, r"(down2|stage[23]\.\d)\.side\.7"),
    },
    "erfnet": {0.03: (5, r"stage2\.\d\.layers\.8"), 0.3: (4 + 4, r"stage3\.\d\.layers\.8")},
    "edanet": {0.02: (5 + 8, r"block[12]\.\d\.layers\.9")},
    "espnetv2": {0.2: (2, r"project3\.1|head\.1")},
    "fssnet": {
        0.03: (1 + 4, r"down1\.side\.4\.1|stage1\.\d\.side\.4"),
        0.3: (1 + 6 + 2 * (1 + 2), r"(down2|up[34])\.side\.4\.1|stage[234]\.\d\.side\.3"),
    },
    "esnet": {0.03: (3 + 2, r"stage[12]\.\d\.layers\.8"), 0.3: (3 * 3, r"stage3\.\d\.branches\.\d\.3")},
    "contextnet": {0.1: (1, r"head")},
}
# Batch normalisation's, where the authors' code has another one than PyTorch. EfficientNet's is 1e-3 in the
# encoder and 1e-5 in the decoder; MicroNet and SQNet normalise nothing.
EPSILONS = {
    "efficientnet": {1e-3, 1e-5},
    "enet": {1e-3},
    "erfnet": {1e-3},
    "esnet": {1e-3},
    "cgnet": {1e-3},
    "dabnet": {1e-3},
    "micronet": set(),
    "sqnet": set(),
}
# Where small logits are enlarged in the end: how many times, and whether corners are aligned.
ALIGNED = {
    "mobilenet_v3_small": (16, True),
    "edanet": (8, True),
    "espnetv2": (2, True),
    "cgnet": (8, False),
    "dabnet": (8, False),
    "contextnet": (8, True),
    "fpenet": (2, True),
}

Dropout = nn.Dropout | nn.Dropout2d


def dropouts(model: nn.Module) -> list[Dropout]:
    """List the dropouts that a slice passes, in that order."""
    passed: list[Dropout] = []
    layers = [layer for layer in model.modules() if isinstance(layer, Dropout)]
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, output: passed.append(layer))
    if layers:
        model(noise(2, 32))
    return passed


@every_network_of_the_study
@torch.no_grad()
def test_as_much_is_dropped_as_the_layers_list_says(name):
    passed = [layer.p for layer in dropouts(fresh(name))]

    assert {p: passed.count(p) for p in passed} == {p: count for p, (count, _) in DROPS.get(name, {}).items()}


@pytest.mark.parametrize("name", DROPS)
@torch.no_grad()
def test_whole_channels_are_dropped_but_in_contextnet(name):
    kinds = {type(layer) for layer in dropouts(fresh(name))}

    assert kinds == {nn.Dropout if name == "contextnet" else nn.Dropout2d}


@every_network_of_the_study
@torch.no_grad()
def test_nothing_else_is_left_to_chance_but_efficientnets_depth(name):
    model = fresh(name).train()
    for layer in model.modules():
        if isinstance(layer, Dropout):
            layer.eval()
    slices, before = noise(2, 32), torch.get_rng_state()
    model(slices)

    assert torch.equal(torch.get_rng_state(), before) == (name != "efficientnet")


@pytest.mark.parametrize(("name", "p"), [(name, p) for name in DROPS for p in DROPS[name]])
@torch.no_grad()
def test_dropping_all_is_as_if_the_layer_before_the_sum_were_silent(name, p):
    """Layer by layer, on one slice: a dropout that gives zeros against weights that do."""
    model = fresh(name).eval().double()
    slices = noise(1, 32).double()
    logits = model(slices)
    _, pattern = DROPS[name][p]
    ends = [layer for key, layer in model.named_modules() if re.fullmatch(pattern, key)]
    drops = [layer for layer in model.modules() if isinstance(layer, Dropout) and layer.p == p]
    for dropout, layer in zip(drops, ends, strict=True):
        handle = dropout.register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))
        dropped = model(slices)
        handle.remove()
        kept = {key: weights.clone() for key, weights in layer.state_dict().items()}
        layer.weight.zero_()
        if isinstance(layer, nn.BatchNorm2d):
            layer.bias.zero_()

        assert torch.equal(dropped, model(slices))
        assert not torch.equal(dropped, logits)
        layer.load_state_dict(kept)


@every_network_of_the_study
def test_batch_normalisation_keeps_the_authors_distance_from_zero(name):
    epsilons = {m.eps for m in zoo.create(name).modules() if isinstance(m, nn.BatchNorm2d)}

    assert epsilons == EPSILONS.get(name, {1e-5})


@every_network_of_the_study
@torch.no_grad()
def test_logits_are_enlarged_with_corners_aligned_or_not(name):
    """Random logits for the head's, which differ too little from pixel to pixel in a fresh network."""
    model = fresh(name).eval()
    model.head.register_forward_hook(lambda layer, inputs, output: torch.randn_like(output))
    small, large = outputs(model, ["head", ""], noise(1, 32))
    factor, aligned = ALIGNED.get(name, (1, True))
    expected = F.interpolate(small, scale_factor=factor, mode="bilinear", align_corners=aligned)

    torch.testing.assert_close(large, expected)
