"""What makes each of the networks whose decoder hears the encoder."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from tests.networks import count, fresh, noise, shapes, silence


@pytest.mark.parametrize(
    ("name", "silenced"),
    [("unet", f"up.{level}") for level in range(4)]
    + [("attention_squeeze_unet", f"step{level}.up") for level in range(1, 5)]
    + [("attention_squeeze_unet", "step4")],  # what is left is the stem's skip
)
@torch.no_grad()
def test_every_level_hears_its_skip_when_all_below_is_silent(name, silenced):
    model = fresh(name).eval()
    model.get_submodule(silenced).register_forward_hook(
        lambda layer, inputs, output: torch.zeros_like(output)
    )
    one, other = model(noise())

    assert (one - other).abs().max() > 1e-6


def test_the_fire_module_rectifies_before_it_normalises():
    squeeze = fresh("attention_squeeze_unet").fires1[0].squeeze

    assert [type(layer) for layer in squeeze] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]


@torch.no_grad()
def test_a_closed_gate_hides_its_skip():
    gate = fresh("attention_squeeze_unet").step4.gate.eval()
    signal, skip = torch.randn(1, 32, 8, 8), torch.randn(1, 64, 8, 8)
    gate.weight[1].bias.fill_(-100)
    closed = gate(signal, skip)
    gate.weight[1].bias.fill_(100)

    assert closed.abs().max() < 1e-20
    torch.testing.assert_close(gate(signal, skip), skip)


@torch.no_grad()
def test_squeeze_unet_is_the_attention_network_with_its_gates_open():
    ours, gated = fresh("squeeze_unet").eval(), fresh("attention_squeeze_unet", seed=1).eval()
    for step in (gated.step1, gated.step2, gated.step3, gated.step4):
        step.gate.weight[1].bias.fill_(100)
    weights = {key: tensor for key, tensor in gated.state_dict().items() if ".gate." not in key}
    for step in (1, 2, 3, 4):  # the attention network puts the skip first
        key = f"step{step}.fire.squeeze.0.weight"
        up = ours.get_submodule(f"step{step}.up").out_channels
        weights[key] = weights[key].roll(up, dims=1)
    ours.load_state_dict(weights)
    seen = {ours: [], gated: []}
    for model, outputs in seen.items():
        for step in (model.step1, model.step2, model.step3, model.step4, model.head):
            step.register_forward_hook(
                lambda layer, inputs, output, outputs=outputs: outputs.append(output / output.std())
            )
        model(noise())

    torch.testing.assert_close(seen[ours], seen[gated], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("silenced", ["step1.up", "step2.up", "step3.up", "step4.up", "step4"])
@torch.no_grad()
def test_squeeze_unet_hears_each_skip_when_all_below_is_silent(silenced):
    model = fresh("squeeze_unet").eval()
    silence(model, silenced)
    one, other = model(noise())

    assert (one - other).abs().max() > 1e-6


@torch.no_grad()
def test_micronet_scales_its_logits_with_the_slice():
    """No bias, no normalisation; doubling is exact in binary, so the logits must double to the bit."""
    model = fresh("micronet")

    assert torch.equal(model(2 * noise()), 2 * model(noise()))


def test_micronet_widens_as_it_shrinks():
    stages = ["encoder1", "encoder2", "encoder3", "decoder3", "decoder2", "decoder1"]

    assert shapes(fresh("micronet"), stages) == [
        *[(64, 64, 64), (128, 32, 32), (256, 16, 16)],
        *[(256, 16, 16), (128, 32, 32), (64, 64, 64)],
    ]


@pytest.mark.parametrize("name", ["micronet", "sqnet"])
@torch.no_grad()
def test_a_network_without_normalisation_neither_fades_nor_saturates(name):
    spreads = [fresh(name, seed)(noise()).std() for seed in range(4)]

    assert all(0.05 < spread < 5 for spread in spreads)


@torch.no_grad()
def test_sqnet_sums_four_dilations():
    block = fresh("sqnet").dilated.eval()
    x = torch.randn(1, 512, 8, 8)
    near = [
        F.elu(F.conv2d(x, b[0].weight, b[0].bias, padding=d, dilation=d))
        for d, b in enumerate(block.branches, 1)
    ]

    torch.testing.assert_close(block(x), torch.stack(near).sum(dim=0))


@pytest.mark.parametrize("level", [1, 2, 3])
@torch.no_grad()
def test_sqnet_hears_each_skip_when_all_below_is_silent(level):
    model = fresh("sqnet").eval()
    silence(model, f"refine{level}.up")
    one, other = model(noise())

    assert (one - other).abs().max() > 1e-6


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@torch.no_grad()
def test_linknet_adds_the_input_of_each_encoder_to_what_undoes_it(level):
    model = fresh("linknet").eval()
    silence(model, f"decoders.{level}")
    taken = []
    model.encoders[3 - level].register_forward_pre_hook(lambda layer, inputs: taken.append(inputs[0]))
    following = model.tail if level == 3 else model.decoders[level + 1]
    following.register_forward_pre_hook(lambda layer, inputs: taken.append(inputs[0]))
    model(noise())

    assert torch.equal(*taken)


def test_mobilenet_stops_shrinking_at_a_sixteenth_and_dilates_instead():
    model = fresh("mobilenet_v3_small")
    dilated = [
        layer.kernel_size
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d) and layer.dilation == (2, 2)
    ]

    assert dilated == [(5, 5)] * 3
    assert shapes(model, ["blocks.2", "blocks.7", "last", "gate"]) == [
        *[(24, 8, 8), (48, 4, 4), (576, 4, 4), (128, 1, 1)]
    ]


@torch.no_grad()
def test_mobilenet_excites_before_it_activates():
    """Excitation without weights gives hard-sigmoid(0) = 1/2 of each channel; hard-swish is not linear."""
    layers = fresh("mobilenet_v3_small").blocks[4].layers.eval()
    excitation, activation = layers[3], layers[4]
    excitation.excite.weight.zero_()
    x = torch.randn(1, 240, 4, 4)

    torch.testing.assert_close(activation(excitation(x)), F.hardswish(x / 2))


def test_mobilenet_keeps_a_shortcut_only_where_nothing_changes_shape():
    blocks = fresh("mobilenet_v3_small").blocks

    assert [number for number, block in enumerate(blocks) if block.shortcut] == [2, 4, 5, 7, 9, 10]


@torch.no_grad()
def test_efficientnet_is_smps_manet_without_its_dead_head():
    import segmentation_models_pytorch as smp

    ours = fresh("efficientnet").eval()
    theirs = smp.MAnet("efficientnet-b0", encoder_weights=None, in_channels=1, classes=1).eval()
    weights = {key.replace("head.", "segmentation_head.", 1): t for key, t in ours.state_dict().items()}
    missing, unexpected = nn.Module.load_state_dict(theirs, weights, strict=False)
    dead = sum(p.numel() for key, p in theirs.named_parameters() if key in missing)

    assert unexpected == []
    assert dead == 412_160 == 9_091_781 - 8_679_621
    assert torch.equal(ours(noise()), theirs(noise()))


def test_efficientnet_needs_no_network(socket_disabled):
    assert count(zoo.create("efficientnet")) == 8_679_621
