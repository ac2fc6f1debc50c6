"""What makes each of the small networks that were made for street scenes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from tests.networks import count, fresh, noise, outputs, silence
from zoo.architectures._convolutions import convolution
from zoo.architectures._halving import Halving


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
    slopes = {stage: {type(m) for m in layers.modules()} for stage, layers in model.named_children()}
    activations = {stage: kinds & {nn.PReLU, nn.ReLU} for stage, kinds in slopes.items()}

    assert {pool.kernel_size for pool in model.modules() if isinstance(pool, nn.MaxPool2d)} == {2}
    assert all(
        activations[stage] == {nn.PReLU}
        for stage in ("initial", "down1", "stage1", "down2", "stage2", "stage3")
    )
    assert all(activations[stage] == {nn.ReLU} for stage in ("up4", "stage4", "up5", "stage5"))
    assert all(prelu.num_parameters > 1 for prelu in model.modules() if isinstance(prelu, nn.PReLU))


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


@pytest.mark.parametrize(
    ("name", "silenced", "heard"),
    [
        ("cgnet", ["stage1"], "the image at 1/2"),
        ("cgnet", ["down2", "stage2"], "the image at 1/4"),
        ("cgnet", ["stage3"], "the first block at 1/8"),
        ("dabnet", ["stem"], "the image at 1/2"),
        ("dabnet", ["down1", "stage1"], "the image at 1/4"),
        ("dabnet", ["down2", "stage2"], "the image at 1/8"),
        ("dabnet", ["stage2"], "the halving at 1/8"),
        ("espnetv2", ["stem"], "the reminders of the image"),
        ("espnetv2", ["project4"], "the map at 1/8"),
        ("espnetv2", ["project3"], "the map at 1/4"),
        ("espnetv2", ["project2"], "the map at 1/2"),
        ("fssnet", ["stage2"], "the halving at 1/8"),
        ("fssnet", ["stage3"], "the halving at 1/4"),
        ("contextnet", ["detail"], "the context"),
        ("contextnet", ["context"], "the detail"),
        ("fpenet", ["stage3"], "the map at 1/4"),
        ("fpenet", ["up2"], "the map at 1/2"),
        ("fpenet", ["stage3.rest"], "the first block at 1/8"),
    ],
)
@torch.no_grad()
def test_a_shortcut_is_heard_when_all_else_is_silent(name, silenced, heard):
    model = fresh(name).eval().double()  # fresh weights let little of a slice through ContextNet's depth
    for stage in silenced:
        silence(model, stage)
    one, other = model(noise().double())

    assert (one - other).abs().max() > 1e-9, heard


@pytest.mark.parametrize("kernel", [1, 3, 5, (3, 1), (1, 3), (5, 1)])
@pytest.mark.parametrize("dilation", [1, 2, 9])
@torch.no_grad()
def test_a_convolution_keeps_the_size_and_looks_as_far_as_its_dilation(kernel, dilation):
    """The footprint of one bright pixel: `kernel` taps, `dilation` apart, centred."""
    layer = convolution(1, 1, kernel, dilation=dilation)
    layer.weight.fill_(1)
    pixel = torch.zeros(1, 1, 41, 41)
    pixel[..., 20, 20] = 1
    rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    footprint = torch.zeros(1, 1, 41, 41)
    for row in range(rows):
        for column in range(columns):
            footprint[..., 20 + (row - rows // 2) * dilation, 20 + (column - columns // 2) * dilation] = 1

    assert torch.equal(layer(pixel), footprint)


@torch.no_grad()
def test_edanet_puts_40_new_channels_in_front_of_the_old():
    model = fresh("edanet").eval()
    x = torch.randn(1, 60, 8, 8)
    grown = model.block1[0](x)

    assert grown.shape == (1, 100, 8, 8)
    assert torch.equal(grown[:, 40:], x)


def test_edanet_starts_from_the_authors_weights():
    weights = torch.cat(
        [m.weight.detach().flatten() for m in fresh("edanet").modules() if isinstance(m, nn.Conv2d)]
    )

    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert weights.mean().abs() < 1e-4


def test_edanet_rectifies_only_after_both_steps_of_a_factorised_convolution():
    layers = [type(layer) for layer in zoo.create("edanet").block2[0].layers]
    pair = [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU]

    assert layers == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, *pair, *pair, nn.Dropout2d]


def dilations(model: nn.Module, stage: str) -> list[int]:
    """The widest dilation of each block, or of each branch, of a stage."""
    found = (
        [layer.dilation for layer in block.modules() if isinstance(layer, nn.Conv2d)]
        for block in model.get_submodule(stage)
    )
    return [max(max(dilation) for dilation in block) for block in found]


@pytest.mark.parametrize(
    ("name", "stage", "expected"),
    [
        ("edanet", "block1", [1, 1, 1, 2, 2]),
        ("edanet", "block2", [2, 2, 4, 4, 8, 8, 16, 16]),
        ("espnetv2", "down2.pyramid.branches", [1, 2, 3, 4]),
        ("espnetv2", "down3.pyramid.branches", [1, 2, 3, 4]),
        ("espnetv2", "stage3.2.pyramid.branches", [1, 2, 3, 4]),
        ("espnetv2", "down4.pyramid.branches", [1, 2, 3, 4]),
        ("espnetv2", "stage4.6.pyramid.branches", [1, 1, 2, 3]),
        ("espnetv2", "merge3.pyramid.branches", [1, 1, 2, 3]),
        ("fssnet", "stage1", [1] * 4),
        ("fssnet", "stage2", [2, 5, 9, 2, 5, 9]),
        ("esnet", "stage3", [9, 9, 9]),
        ("esnet", "stage3.0.branches", [2, 5, 9]),
        ("cgnet", "stage2", [2] * 2),
        ("cgnet", "stage3", [4] * 20),
        ("dabnet", "stage1", [2] * 3),
        ("dabnet", "stage2", [4, 4, 8, 8, 16, 16]),
        ("fpenet", "stage3.rest.7.pyramid", [1, 2, 4, 8]),
    ],
)
def test_a_stage_looks_as_far_as_its_paper_says(name, stage, expected):
    assert dilations(zoo.create(name), stage) == expected


@pytest.mark.parametrize(
    ("name", "block", "branches", "channels"),
    [("espnetv2", "stage3.0.pyramid", "branches", 256), ("fpenet", "stage3.rest.0", "pyramid", 64)],
)
def test_each_branch_of_a_pyramid_is_fed_what_the_one_before_saw(name, block, branches, channels):
    """So the first branch reaches every channel of the block, and the last one its own quarter alone."""
    block = fresh(name).eval().get_submodule(block)
    joined = []
    after = block.activation if name == "espnetv2" else block.leave
    after.register_forward_pre_hook(lambda layer, inputs: joined.append(inputs[0]))
    block(torch.randn(1, channels, 16, 16))
    reached = []
    for branch in getattr(block, branches):
        weights = next(branch.parameters())
        parts = (part.square().sum() for part in joined[0].chunk(4, dim=1))
        reached.append(
            [bool(torch.autograd.grad(part, weights, retain_graph=True)[0].any()) for part in parts]
        )

    assert reached == [[part >= branch for part in range(4)] for branch in range(4)]


def test_espnetv2_has_no_slopes_that_nothing_reads():
    """The strided pyramids of the authors' code carry an activation that is never called."""
    model = fresh("espnetv2")
    called = set()
    for layer in model.modules():
        layer.register_forward_hook(lambda layer, inputs, output: called.add(layer))
    model(noise())
    slopes = {layer for layer in model.modules() if isinstance(layer, nn.PReLU)}

    assert slopes
    assert slopes <= called


@torch.no_grad()
def test_fssnet_hears_the_encoders_echo_on_the_main_way_alone():
    up = fresh("fssnet").up3.eval()
    x, echo = torch.randn(1, 128, 8, 8), torch.randn(1, 128, 8, 8)
    with_echo, without = up(x, echo), up(x, torch.zeros_like(echo))
    up.main.register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))

    assert not torch.equal(with_echo, without)
    assert torch.equal(up(x, echo), up(x, torch.zeros_like(echo)))


@torch.no_grad()
def test_fssnet_keeps_the_image_itself_beside_its_first_features():
    x = noise()
    (initial,) = outputs(fresh("fssnet").eval(), ["initial"], x)

    assert torch.equal(initial[:, 15:], nn.functional.max_pool2d(x, 2))


def test_esnets_branches_share_no_statistics():
    units = fresh("esnet").stage3
    norms = {
        layer for unit in units for layer in unit.branches.modules() if isinstance(layer, nn.BatchNorm2d)
    }

    assert len(norms) == 3 * 3


@torch.no_grad()
def test_cgnets_gate_weighs_channels_by_the_whole_slice():
    gate = fresh("cgnet").stage3[0].layers[2]
    x = torch.randn(2, 128, 8, 8)
    moved = x.flatten(2)[..., torch.randperm(64, generator=torch.Generator().manual_seed(0))].view_as(x)
    weights, elsewhere = gate(x) / x, gate(moved) / moved

    torch.testing.assert_close(weights, weights.mean((2, 3), keepdim=True).expand_as(x))
    torch.testing.assert_close(weights, elsewhere)
    assert 0 < weights.min() < weights.max() < 1
    assert (weights[0] - weights[1]).abs().max() > 1e-3


@torch.no_grad()
def test_dabnet_sums_its_two_views():
    block = fresh("dabnet").stage2[0].eval()
    x = torch.randn(1, 128, 16, 16)
    entered = block.entry(x)

    torch.testing.assert_close(block(x) - x, block.leave(block.near(entered) + block.wide(entered)))


@torch.no_grad()
def test_contextnets_branches_are_in_register():
    """At 256 pixels 32 and 8; without padding in their first convolutions the maps come out a pixel short."""
    detail, context = outputs(fresh("contextnet").eval(), ["detail", "context"], noise(1, 256))

    assert detail.shape == (1, 128, 32, 32)
    assert context.shape == (1, 128, 8, 8)
    model = zoo.create("contextnet")
    assert model.detail[0][0].padding == model.context[0][0].padding == (1, 1)


@torch.no_grad()
def test_contextnets_deep_branch_sees_a_quarter_of_the_slice():
    (stem,) = outputs(fresh("contextnet").eval(), ["context.0"], noise(1, 128))

    assert stem.shape == (1, 32, 16, 16)


def test_fpenet_expands_fourfold_in_every_block_of_its_later_stages():
    model = zoo.create("fpenet")
    blocks = [model.stage2.first, *model.stage2.rest, model.stage3.first, *model.stage3.rest]

    assert len(blocks) == 3 + 9
    assert [b.entry[0].out_channels / b.entry[0].in_channels for b in blocks] == [4] * 12
    assert model.stage1.entry[0].out_channels == 16


@torch.no_grad()
def test_fpenets_stages_give_their_first_and_their_last_block():
    stage = fresh("fpenet").stage3.eval()
    x = torch.randn(1, 32, 16, 16)
    first = stage.first(x)

    torch.testing.assert_close(stage(x), first + stage.rest(first))


@torch.no_grad()
def test_fpenets_deep_map_weighs_channels_and_its_flat_map_pixels():
    """A gate without weight is sigmoid(0), a half everywhere; so the other one can be read off the sum."""
    high, low = torch.randn(1, 64, 4, 4).double(), torch.randn(1, 32, 8, 8).double()
    up = fresh("fpenet").up2.eval().double()
    flat, deep = up.low(low), up.high(high)
    deep = nn.functional.interpolate(deep, (8, 8), mode="bilinear", align_corners=True)
    by_pixel, up.spatial.weight.data = up.spatial.weight.data, torch.zeros_like(up.spatial.weight)
    channels = (up(high, low) - deep / 2) / flat
    up.spatial.weight.data = by_pixel
    up.channel.weight.fill_(0)
    pixels = (up(high, low) - flat / 2) / deep

    torch.testing.assert_close(channels, channels.mean((2, 3), keepdim=True).expand_as(channels))
    torch.testing.assert_close(pixels, pixels.mean(1, keepdim=True).expand_as(pixels))
    assert channels.min().item() == pytest.approx(0.5)  # rectified before the sigmoid
    assert 0.51 < channels.max() < 1
    assert 0 < pixels.min() < pixels.max() < 1
