"""Every network of the zoo: counts against the papers' layouts, and what any of them must be able to do."""

import ast
import io
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import zoo
from zoo._registry import load_network
from zoo._size import macs_per_slice

FOLDER = Path(zoo.__file__).parent / "architectures"
every_network = pytest.mark.parametrize("name", zoo.architectures())

# Counted by hand from the layer lists: 3x3 m->n without bias is 9·m·n, batch normalisation 2·n, and so on.
PARAMETERS = {
    "unet": 31_036_481,
    "mobilenet_v3_small": 1_066_361,
    "micronet": 1_055_824,
    "efficientnet": 8_679_621,
    "squeeze_unet": 2_501_873,
    "attention_squeeze_unet": 2_586_109,
    "sqnet": 16_229_921,
    "linknet": 11_527_105,
    "segnet": 29_442_433,
    "enet": 362_927,
    "erfnet": 2_062_807,
    "edanet": 681_171,
    "espnetv2": 1_241_140,
    "fssnet": 173_077,
    "esnet": 1_659_223,
    "cgnet": 487_654,
    "dabnet": 749_153,
    "contextnet": 873_089,
    "fpenet": 345_603,
}
# How often a network halves, to the power of two.
MULTIPLES = {
    **dict.fromkeys(("efficientnet", "linknet", "segnet", "contextnet"), 32),
    **dict.fromkeys(("unet", "mobilenet_v3_small", "squeeze_unet", "attention_squeeze_unet", "sqnet"), 16),
    **dict.fromkeys(("enet", "erfnet", "edanet", "espnetv2", "fssnet", "esnet"), 8),
    **dict.fromkeys(("cgnet", "dabnet", "fpenet"), 8),
    "micronet": 4,
}
# Products of two computed maps, which no layer holds: position attention over the 2 x 2 places that are left
# of 64 x 64 pixels, with 64 channels of queries and keys and 320 of values.
ATTENTION = {"efficientnet": 4 * 4 * (64 + 320)}
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


def noise(number: int = 2, size: int = 64) -> torch.Tensor:
    return torch.randn(number, 1, size, size, generator=torch.Generator().manual_seed(1))


def step(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Go forward and backward as a training step does, with a loss that every logit counts in."""
    logits = model(images)
    logits.float().square().mean().backward()
    return logits


def gradients(model: nn.Module) -> dict[str, torch.Tensor | None]:
    return {name: weights.grad for name, weights in model.named_parameters()}


def test_the_zoo_holds_the_networks_of_the_study():
    assert set(zoo.architectures()) == set(PARAMETERS) == set(MULTIPLES)


@every_network
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
    multiple = MULTIPLES[name]
    tall, wide = (next(n for n in range(side, 2 * side) if n % multiple == 0) for side in (250, 65))
    said = rf"{name}: input of 250 x 65 .* multiples of {multiple}\. Pad .* to {tall} x {wide},"
    with pytest.raises(ValueError, match=said):
        zoo.create(name)(torch.zeros(1, 1, 250, 65))


@every_network
def test_the_multiple_that_the_pipeline_pads_to_is_the_networks_own(name):
    multiple = load_network(name).MULTIPLE
    with torch.device("meta"):
        logits = zoo.create(name).eval()(torch.empty(1, 1, multiple, 3 * multiple))

    assert multiple == MULTIPLES[name]
    assert logits.shape == (1, 1, multiple, 3 * multiple)


@every_network
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fresh_logits_have_both_signs(name, seed):
    """A sigmoid at the end would leave no negative ones."""
    logits = fresh(name, seed)(noise())

    assert logits.min() < 0 < logits.max()


@every_network
def test_every_parameter_receives_a_gradient(name):
    """Under some draw of weights: a gate of one hidden ReLU, as in smp's MA-Net, can be drawn dead."""
    silent = {key for key, _ in zoo.create(name).named_parameters()}
    for seed in range(6):
        model = fresh(name, seed)
        step(model, noise())
        silent &= {key for key, grad in gradients(model).items() if grad is None or not grad.any()}
        if not silent:
            break

    assert silent == set()


@every_network
def test_forward_and_backward_are_finite_under_bf16_autocast(name):
    model = fresh(name)
    with torch.autocast("cpu", torch.bfloat16):
        logits = step(model, noise())

    assert logits.dtype == torch.bfloat16
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@every_network
def test_the_channels_may_come_last_in_memory(name):
    one, other = fresh(name).eval(), fresh(name).eval().to(memory_format=torch.channels_last)
    last = noise().to(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(other(last), one(noise()), rtol=1e-4, atol=1e-5)

    step(other.train(), last)
    assert all(grad.isfinite().all() for grad in gradients(other).values())


@every_network
def test_a_single_slice_can_be_trained_on(name):
    """At 64 pixels no network is left with a single place, for which a batch of one has no statistics."""
    model = fresh(name)
    logits = step(model, noise(1))

    assert logits.shape == (1, 1, 64, 64)
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@every_network
def test_a_constant_slice_among_others_gives_finite_logits_and_gradients(name):
    """An empty slice is constant."""
    model, images = fresh(name), noise(3)
    images[0], images[1] = 0.0, 3.0
    logits = step(model, images)

    assert logits.isfinite().all()
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@every_network
@pytest.mark.parametrize("value", [0.0, 3.0])
@torch.no_grad()
def test_a_batch_of_constant_slices_gives_finite_logits(name, value):
    """A variance of 0 must not be divided by, neither a batch's nor a slice's."""
    model, images = fresh(name), torch.full((2, 1, 64, 64), value)

    assert model(images).isfinite().all()
    assert model.eval()(images).isfinite().all()


@every_network
@torch.no_grad()
def test_an_exported_network_computes_the_same(name):
    model, images = fresh(name).eval(), noise()
    exported = torch.export.export(model, (images,)).module()

    torch.testing.assert_close(exported(images), model(images), rtol=1e-4, atol=1e-5)


@every_network
def test_a_compiler_sees_the_whole_network_in_one_graph(name):
    """Tracing only ("eager" runs the graph as it is): generating code for all of them would take minutes."""
    torch.compiler.reset()
    model, images = fresh(name).eval(), noise()
    with torch.no_grad():
        compiled = torch.compile(model, backend="eager", fullgraph=True)(images)

        torch.testing.assert_close(compiled, model(images), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A process group of one, without a port: what is tested is the bookkeeping of gradients."""
    store = distributed.FileStore(str(tmp_path_factory.mktemp("group") / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1, timeout=timedelta(seconds=60))
    yield
    distributed.destroy_process_group()


@every_network
def test_data_parallel_training_waits_for_no_unused_parameter(name, alone):
    """Where a parameter got no gradient, the second step raises."""
    model = DistributedDataParallel(fresh(name), find_unused_parameters=False)
    for _ in range(2):
        step(model, noise())

    assert all(grad is not None for grad in gradients(model).values())


def test_data_parallel_training_would_notice_an_unused_parameter(alone):
    layer = nn.Conv2d(1, 1, 1)
    layer.unused = nn.Conv2d(1, 1, 1)
    model = DistributedDataParallel(layer, find_unused_parameters=False)
    step(model, noise())

    with pytest.raises(RuntimeError, match="Expected to have finished reduction"):
        step(model, noise())


@every_network
def test_deterministic_algorithms_exist_for_every_layer(name):
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            model = fresh(name)
            logits = step(model, noise())
            runs.append([logits, *gradients(model).values()])
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
def test_multiply_accumulates_are_those_of_the_layers(name):
    """The truth is a second count: outputs of each layer times the products behind each."""
    total = 0

    def add(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Linear):
            places = output.numel() // layer.out_features
        else:
            transposed = isinstance(layer, nn.ConvTranspose2d)
            places = (inputs[0] if transposed else output)[0, 0].numel()
        total += places * layer.weight.numel()

    model = zoo.create(name).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(add)
    with torch.no_grad():
        model(noise(1, size=64))

    assert macs_per_slice(name, 64) == total + ATTENTION.get(name, 0)


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
    with pytest.raises(ValueError, match=r"'attention_squeeze'; did you mean attention_squeeze_unet or"):
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

    assert any(word in docstring for word in ("arXiv:", "doi:", "openreview.net/"))
    assert f"{count(zoo.create(name)):,} parameters" in docstring
