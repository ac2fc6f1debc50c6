"""Nine networks against their papers: parameters per stage, products per pixel, and what makes each."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo._registry import load
from zoo._size import macs_per_slice
from zoo.architectures._halving import Halving
from zoo.architectures._unpool import unpool

# Counted by hand from the layer lists, at one channel in and one class out: 3x3 m->n without bias is 9·m·n,
# a bias n, batch normalisation 2·n, a PReLU n. The stages of each network add up to all of it.
STAGES = {
    "mobilenet_v3_small": {
        "stem": 176,
        "blocks.0": 880,
        "blocks.1": 3_864,
        "blocks.2": 5_416,
        "blocks.3": 13_616,
        "blocks.4": 55_040,
        "blocks.5": 55_040,
        "blocks.6": 21_336,
        "blocks.7": 28_464,
        "blocks.8": 91_488,
        "blocks.9": 293_376,
        "blocks.10": 293_376,
        "last": 56_448,
        "features": 73_984,
        "gate": 73_728,
        "head": 129,
    },
    "micronet": {
        "encoder1": 23_568,
        "encoder2": 96_256,
        "encoder3": 385_024,
        "decoder3": 294_912,
        "up2": 131_072,
        "decoder2": 73_728,
        "up1": 32_768,
        "decoder1": 18_432,
        "head": 64,
    },
    "efficientnet": {
        "encoder._conv_stem": 288,
        "encoder._bn0": 64,
        "encoder._blocks.0": 1_448,
        "encoder._blocks.1": 6_004,
        "encoder._blocks.2": 10_710,
        "encoder._blocks.3": 15_350,
        "encoder._blocks.4": 31_290,
        "encoder._blocks.5": 37_130,
        "encoder._blocks.6": 102_900,
        "encoder._blocks.7": 102_900,
        "encoder._blocks.8": 126_004,
        "encoder._blocks.9": 208_572,
        "encoder._blocks.10": 208_572,
        "encoder._blocks.11": 262_492,
        "encoder._blocks.12": 587_952,
        "encoder._blocks.13": 587_952,
        "encoder._blocks.14": 587_952,
        "encoder._blocks.15": 717_232,
        "decoder.center": 1_884_928,
        "decoder.blocks": 3_199_736,
        "head": 145,
    },
    "squeeze_unet": {
        "stem": 640,
        "fires1.0": 11_440,
        "fires1.1": 12_464,
        "fires2.0": 45_408,
        "fires2.1": 49_504,
        "fires3.0": 104_976,
        "fires3.1": 111_120,
        "fires4.0": 189_120,
        "fires4.1": 197_312,
        "step1.up": 884_928,
        "step1.fire": 120_336,
        "step2.up": 442_496,
        "step2.fire": 53_600,
        "step3.up": 147_520,
        "step3.fire": 13_488,
        "step4.up": 36_896,
        "step4.fire": 6_768,
        "tail": 73_792,
        "head": 65,
    },
    "sqnet": {
        "stem": 960,
        "fires1.0": 11_920,
        "fires1.1": 12_432,
        "fires2.0": 45_344,
        "fires2.1": 49_440,
        "fires3.0": 180_800,
        "fires3.1": 197_184,
        "fires3.2": 197_184,
        "dilated": 9_439_232,
        "refine1.up": 1_179_904,
        "refine1.skip": 590_080,
        "refine1.join": 2_359_808,
        "refine2.up": 589_952,
        "refine2.skip": 147_584,
        "refine2.join": 590_080,
        "refine3.up": 221_280,
        "refine3.skip": 83_040,
        "refine3.join": 331_968,
        "head": 1_729,
    },
    "linknet": {
        "stem": 3_264,
        "encoders.0": 147_968,
        "encoders.1": 525_568,
        "encoders.2": 2_099_712,
        "encoders.3": 8_393_728,
        "decoders.0": 246_784,
        "decoders.1": 61_952,
        "decoders.2": 15_616,
        "decoders.3": 4_544,
        "tail": 18_528 + 9_312,
        "head": 129,
    },
    "segnet": {
        "encoder.0": 37_824,
        "encoder.1": 221_952,
        "encoder.2": 1_476_864,
        "encoder.3": 5_902_848,
        "encoder.4": 7_082_496,
        "decoder.0": 7_082_496,
        "decoder.1": 5_902_080,
        "decoder.2": 1_476_480,
        "decoder.3": 221_760,
        "decoder.4": 37_056,
        "head": 577,
    },
    "enet": {
        "initial": 198,
        "down1": 4_656,
        "stage1": 4 * 4_656,
        "down2": 22_112,
        "stage2": 6 * 18_016 + 2 * 19_040,
        "stage3": 6 * 18_016 + 2 * 19_040,
        "up4": 13_904,
        "stage4": 2 * 4_560,
        "up5": 1_572,
        "stage5": 324,
        "head": 65,
    },
    "erfnet": {
        "down1": 182,
        "down2": 7_088,
        "stage2": 5 * 49_664,
        "down3": 37_184,
        "stage3": 8 * 197_632,
        "up4": 73_920,
        "stage4": 2 * 49_664,
        "up5": 9_264,
        "stage5": 2 * 3_200,
        "head": 65,
    },
}
PARAMETERS = {
    "mobilenet_v3_small": 1_066_361,
    "micronet": 1_055_824,
    "efficientnet": 8_679_621,
    "squeeze_unet": 2_501_873,
    "sqnet": 16_229_921,
    "linknet": 11_527_105,
    "segnet": 29_442_433,
    "enet": 362_927,
    "erfnet": 2_062_807,
}
# Other channels and classes, at which the papers and their followers counted.
PUBLISHED = {("enet", 3, 19): 364_311, ("erfnet", 3, 20): 2_064_256, ("segnet", 3, 20): 29_454_548}

# Products of one slice of 256 x 256, by hand: {pixels of the layers' outputs (transposed: inputs): weights}.
FULL, HALF, QUARTER, EIGHTH, SIXTEENTH, DEEPEST = (4**power for power in (8, 7, 6, 5, 4, 3))
PRODUCTS = {
    "micronet": {
        FULL: 23_568 + 18_432 + 64,
        HALF: 96_256 + 73_728 + 32_768,
        QUARTER: 385_024 + 294_912 + 131_072,
    },
    "squeeze_unet": {
        FULL: 64,
        HALF: 576 + 73_728,
        QUARTER: 11_264 + 12_288 + 6_656,
        EIGHTH: 45_056 + 49_152 + 13_312 + 36_864,
        SIXTEENTH: 104_448 + 110_592 + 188_416 + 196_608 + 884_736 + 119_808 + 442_368 + 53_248 + 147_456,
    },
    "sqnet": {
        HALF: 864 + 82_944 + 331_776 + 1_728,
        QUARTER: 11_776 + 12_288 + 147_456 + 589_824 + 221_184,
        EIGHTH: 45_056 + 49_152 + 589_824 + 2_359_296 + 589_824,
        SIXTEENTH: 180_224 + 2 * 196_608 + 4 * 2_359_296 + 1_179_648,
    },
    "linknet": {
        HALF: 3_136 + 9_216 + 128,
        QUARTER: 4 * 36_864 + 2_048 + 1_024 + 2_304 + 1_024 + 18_432,
        EIGHTH: 73_728 + 3 * 147_456 + 8_192 + 8_192 + 4_096 + 9_216,
        SIXTEENTH: 294_912 + 3 * 589_824 + 32_768 + 32_768 + 16_384 + 36_864,
        DEEPEST: 1_179_648 + 3 * 2_359_296 + 131_072 + 65_536 + 147_456,
    },
    "segnet": {
        FULL: 2 * (576 + 36_864),
        HALF: 2 * (73_728 + 147_456),
        QUARTER: 2 * (294_912 + 2 * 589_824),
        EIGHTH: 2 * (1_179_648 + 2 * 2_359_296),
        SIXTEENTH: 2 * (3 * 2_359_296),
    },
    "enet": {
        HALF: 135 + 64 + (64 + 144 + 64) + 64,
        QUARTER: 7 * (1_024 + 2_304 + 1_024) + 1_024 + 1_024 + 256 + 144,
        EIGHTH: 8_192 + 9_216 + 4_096 + 12 * 17_408 + 4 * 18_432 + 8_192 + 2_048 + 2_304,
    },
    "erfnet": {
        HALF: 135 + 2 * 3_072 + 64,
        QUARTER: 6_912 + 5 * 49_152 + 2 * 49_152 + 9_216,
        EIGHTH: 36_864 + 8 * 196_608 + 73_728,
    },
}


def count(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def fresh(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return zoo.create(name)


def noise(number: int = 2, size: int = 64) -> torch.Tensor:
    return torch.randn(number, 1, size, size, generator=torch.Generator().manual_seed(1))


def shapes(model: nn.Module, stages: list[str], size: int = 64) -> list[tuple[int, ...]]:
    """What each stage gives for one slice, without the slice."""
    seen = []
    for stage in stages:
        model.get_submodule(stage).register_forward_hook(
            lambda layer, inputs, output: seen.append(tuple(output.shape[1:]))
        )
    with torch.no_grad():
        model.eval()(noise(1, size))
    return seen


def silence(model: nn.Module, stage: str) -> None:
    model.get_submodule(stage).register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_has_the_parameters_of_its_paper(name):
    model = zoo.create(name)
    stages = {stage: count(model.get_submodule(stage)) for stage in STAGES[name]}

    assert stages == STAGES[name]
    assert sum(stages.values()) == count(model) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "in_channels", "classes"), PUBLISHED)
def test_a_network_has_the_published_count_at_the_published_channels(name, in_channels, classes):
    assert count(zoo.create(name, in_channels, classes)) == PUBLISHED[name, in_channels, classes]


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_network_multiplies_as_often_as_its_layers_and_their_pixels_say(name):
    assert macs_per_slice(name, 256) == sum(pixels * weights for pixels, weights in PRODUCTS[name].items())


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(("in_channels", "classes"), [(3, 2), (16, 1), (20, 4)])
def test_any_number_of_channels_and_classes_fits(name, in_channels, classes):
    with torch.device("meta"):
        logits = zoo.create(name, in_channels, classes)(torch.empty(2, in_channels, 64, 96))

    assert logits.shape == (2, classes, 64, 96)


@pytest.mark.parametrize("name", PARAMETERS)
@torch.no_grad()
def test_the_smallest_size_that_a_network_names_works_and_half_of_it_does_not(name):
    multiple = load("architectures", name).MULTIPLE
    model = fresh(name).eval()

    assert model(noise(1, multiple)).shape == (1, 1, multiple, multiple)
    with pytest.raises(ValueError, match=f"{name}: .* multiples of {multiple}"):
        model(torch.zeros(1, 1, multiple, multiple // 2))


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_learns_from_some_draw_of_weights(name):
    """One draw can leave a gate of one hidden unit dead (EfficientNet's decoder); a dead layer stays dead."""
    deaf = {key for key, _ in zoo.create(name).named_parameters()}
    for seed in range(8):
        model = fresh(name, seed)
        model(noise()).square().mean().backward()
        assert all(weights.grad is not None for weights in model.parameters())
        deaf -= {key for key, weights in model.named_parameters() if weights.grad.any()}
        if not deaf:
            break

    assert deaf == set()


@pytest.mark.parametrize("name", PARAMETERS)
def test_one_constant_slice_gives_a_finite_step(name):
    model = fresh(name)
    logits = model(torch.full((1, 1, 64, 64), 3.0))
    logits.square().mean().backward()

    assert logits.isfinite().all()
    assert all(weights.grad.isfinite().all() for weights in model.parameters())


# Un-pooling: torch's own numbers, without its scattering.


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


# ENet and its successors.


@torch.no_grad()
def test_halving_puts_the_pooled_channels_behind_the_convolved_ones():
    x = torch.randn(1, 3, 4, 4)

    assert torch.equal(Halving(3, 8)(x)[:, 5:], F.max_pool2d(x, 2))


def test_halving_to_no_more_channels_pools_nothing():
    layer = Halving(8, 8)

    assert layer(torch.randn(1, 8, 4, 4)).shape == (1, 8, 2, 2)
    assert count(layer) == 9 * 8 * 8 + 8


def test_enet_pools_windows_of_2x2_and_rectifies_with_slopes_in_the_encoder_alone():
    model = zoo.create("enet")
    slopes = {stage: {type(m) for m in model.get_submodule(stage).modules()} for stage in STAGES["enet"]}
    activations = {stage: kinds & {nn.PReLU, nn.ReLU} for stage, kinds in slopes.items()}

    assert {pool.kernel_size for pool in model.modules() if isinstance(pool, nn.MaxPool2d)} == {2}
    assert all(
        activations[stage] == {nn.PReLU}
        for stage in ("initial", "down1", "stage1", "down2", "stage2", "stage3")
    )
    assert all(activations[stage] == {nn.ReLU} for stage in ("up4", "stage4", "up5", "stage5"))
    assert all(prelu.num_parameters > 1 for prelu in model.modules() if isinstance(prelu, nn.PReLU))


def test_enet_drops_in_the_encoder_alone_and_little_in_its_first_stage():
    model = zoo.create("enet")
    rates = {
        stage: [layer.p for layer in model.get_submodule(stage).modules() if isinstance(layer, nn.Dropout2d)]
        for stage in STAGES["enet"]
    }

    assert {stage: set(found) for stage, found in rates.items() if found} == {
        "down1": {0.01},
        "stage1": {0.01},
        "down2": {0.1},
        "stage2": {0.1},
        "stage3": {0.1},
    }


@pytest.mark.parametrize("stage", ["stage2", "stage3"])
def test_enet_looks_ever_wider(stage):
    widths = [
        (layer.kernel_size, layer.dilation[0])
        for layer in zoo.create("enet").get_submodule(stage).modules()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1)
    ]
    square, column, row = (3, 3), (5, 1), (1, 5)

    assert widths == [
        *[(square, 1), (square, 2), (column, 1), (row, 1), (square, 4)],
        *[(square, 1), (square, 8), (column, 1), (row, 1), (square, 16)],
    ]


@pytest.mark.parametrize(
    ("name", "block", "side", "channels", "slope"),
    [
        ("enet", "stage1.0", "side", 64, 0.25),  # a fresh PReLU's slope
        ("enet", "stage4.0", "side", 64, 0),
        ("erfnet", "stage2.0", "layers", 64, 0),
        ("linknet", "encoders.0.1", "layers", 64, 0),
    ],
)
@torch.no_grad()
def test_a_residual_block_activates_its_sum(name, block, side, channels, slope):
    layer = fresh(name).get_submodule(block).eval()
    silence(layer, side)
    x = torch.randn(1, channels, 4, 4)

    assert torch.equal(layer(x), F.leaky_relu(x, slope))


@torch.no_grad()
def test_enet_halves_by_pooling_and_empty_channels():
    down = fresh("enet").down1.eval()
    silence(down, "side")
    x = torch.randn(1, 16, 8, 8)
    halved, _ = down(x)

    assert torch.equal(halved[:, :16], F.leaky_relu(F.max_pool2d(x, 2), 0.25))
    assert halved.shape == (1, 64, 4, 4)
    assert not halved[:, 16:].any()


@torch.no_grad()
def test_enets_empty_channels_have_the_precision_of_the_others():
    down = fresh("enet").down1.bfloat16().eval()

    assert down(torch.randn(1, 16, 8, 8, dtype=torch.bfloat16))[0].dtype == torch.bfloat16


def test_erfnet_dilates_the_second_half_of_each_deep_block():
    dilations = [
        layer.dilation
        for layer in zoo.create("erfnet").stage3.modules()
        if isinstance(layer, nn.Conv2d) and max(layer.dilation) > 1
    ]

    assert dilations == [pair for gap in (2, 4, 8, 16) * 2 for pair in ((gap, 1), (1, gap))]


# Fire modules.


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


# The classifiers' descendants.


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
    assert dead == 412_160 == 9_091_781 - PARAMETERS["efficientnet"]
    assert torch.equal(ours(noise()), theirs(noise()))


@torch.no_grad()
def test_efficientnet_multiplies_in_its_attention_too():
    """At 256 pixels the attention sees 64 places: 64 x 64 affinities of 64 channels, then of 320 values."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        total += output[0, 0].numel() * layer.weight.numel()

    model = fresh("efficientnet").eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(add)
    model(noise(1, 256))

    assert macs_per_slice("efficientnet", 256) == total + 64 * 64 * (64 + 320)


def test_efficientnet_needs_no_network(socket_disabled):
    assert count(zoo.create("efficientnet")) == PARAMETERS["efficientnet"]
