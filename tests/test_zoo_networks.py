"""Every network of the zoo: counts against the papers' layouts, and what any of them must be able to do."""

import ast
import io
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from zoo._size import macs_per_slice

FOLDER = Path(zoo.__file__).parent / "architectures"
every_network = pytest.mark.parametrize("name", zoo.architectures())

# Counted by hand from the layer lists: 3x3 m->n without bias is 9·m·n, batch normalisation 2·n, and so on.
PARAMETERS = {"unet": 31_036_481, "attention_squeeze_unet": 2_586_109}
STAGES = {
    "unet": {
        "encoder.0": 37_696,
        "encoder.1": 221_696,
        "encoder.2": 885_760,
        "encoder.3": 3_540_992,
        "bottleneck": 14_159_872,
        "up.0": 2_097_664,
        "up.1": 524_544,
        "up.2": 131_200,
        "up.3": 32_832,
        "decoder.0": 7_079_936,
        "decoder.1": 1_770_496,
        "decoder.2": 442_880,
        "decoder.3": 110_848,
        "head": 65,
    },
    "attention_squeeze_unet": {
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
        "step1.gate": 55_778,
        "step1.fire": 120_336,
        "step2.up": 442_496,
        "step2.gate": 24_898,
        "step2.fire": 53_600,
        "step3.up": 147_520,
        "step3.gate": 3_154,
        "step3.fire": 13_488,
        "step4.up": 36_896,
        "step4.gate": 406,
        "step4.fire": 6_768,
        "tail": 73_792,
        "head": 65,
    },
}


def count(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def fresh(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return zoo.create(name)


def noise(number: int = 2, size: int = 32) -> torch.Tensor:
    return torch.randn(number, 1, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_has_the_parameters_of_its_paper(name):
    assert count(zoo.create(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_the_parameters_of_its_paper(name):
    model = zoo.create(name)
    stages = {stage: count(model.get_submodule(stage)) for stage in STAGES[name]}

    assert stages == STAGES[name]
    assert sum(stages.values()) == PARAMETERS[name]


@every_network
@pytest.mark.parametrize("size", [(64, 64), (96, 96), (256, 256), (64, 128)])
def test_logits_have_the_size_of_the_input(name, size):
    with torch.device("meta"):
        logits = zoo.create(name, in_channels=3, classes=2)(torch.empty(2, 3, *size))

    assert logits.shape == (2, 2, *size)


@every_network
def test_a_size_that_does_not_fit_is_refused_with_the_size_to_pad_to(name):
    with pytest.raises(ValueError, match=rf"{name}: input of 250 x 65 .* multiples of 16.* to 256 x 80"):
        zoo.create(name)(torch.zeros(1, 1, 250, 65))


@every_network
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fresh_logits_have_both_signs(name, seed):
    """A sigmoid at the end would leave no negative ones."""
    logits = fresh(name, seed)(noise())

    assert logits.min() < 0 < logits.max()


@every_network
def test_every_parameter_receives_a_gradient(name):
    model = fresh(name)
    model(noise()).square().mean().backward()

    without = [
        key for key, weights in model.named_parameters() if weights.grad is None or not weights.grad.any()
    ]
    assert without == []


@every_network
def test_forward_and_backward_are_finite_under_bf16_autocast(name):
    model = fresh(name)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(noise())
    logits.float().square().mean().backward()

    assert logits.dtype == torch.bfloat16
    assert all(weights.grad.isfinite().all() for weights in model.parameters())


@every_network
def test_deterministic_algorithms_exist_for_every_layer(name):
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            model = fresh(name)
            model(noise()).square().mean().backward()
            runs.append([weights.grad for weights in model.parameters()])
    finally:
        torch.use_deterministic_algorithms(False)

    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


@every_network
@torch.no_grad()
def test_a_slice_is_segmented_alone_as_among_others(name):
    model, images = fresh(name).eval(), noise(3)
    among, alone = model(images), torch.cat([model(image[None]) for image in images])

    torch.testing.assert_close(alone, among, rtol=1e-4, atol=1e-5)


@every_network
@torch.no_grad()
def test_weights_survive_saving_and_loading(name):
    saved = io.BytesIO()
    one, other = fresh(name, seed=0).eval(), fresh(name, seed=1).eval()
    torch.save(one.state_dict(), saved)
    saved.seek(0)
    other.load_state_dict(torch.load(saved, weights_only=True))

    assert torch.equal(one(noise()), other(noise()))


@every_network
def test_multiply_accumulates_are_those_of_the_convolutions(name):
    """The truth is a second count: outputs of each layer times the products behind each."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        transposed = isinstance(layer, nn.ConvTranspose2d)
        places = (inputs[0] if transposed else output)[0, 0].numel()
        total += places * layer.weight.numel()

    model = zoo.create(name).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(add)
    with torch.no_grad():
        model(noise(1, size=64))

    assert macs_per_slice(name, 64) == total


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


def test_an_unknown_network_is_answered_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"'attention_squeeze'; did you mean attention_squeeze_unet\?"):
        zoo.create("attention_squeeze")


def test_a_network_without_classes_is_refused():
    with pytest.raises(ValueError, match="classes is 0; expected 1 or more"):
        zoo.create("unet", classes=0)


@every_network
def test_an_architecture_imports_no_other(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ]

    assert [
        module for module in imported if module.removeprefix("zoo.architectures.") in zoo.architectures()
    ] == []


@every_network
def test_an_architecture_names_its_paper(name):
    docstring = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))

    assert "arXiv:" in docstring or "doi:" in docstring
    assert f"{count(zoo.create(name)):,} parameters" in docstring
