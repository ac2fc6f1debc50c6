"""What every network of the zoo must be able to do."""

import ast
import copy
import io
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import zoo
from tests.networks import count, every_network_of_the_study, fresh, gradients, noise, step, weightless
from zoo._registry import load_network

FOLDER = Path(zoo.__file__).parent / "architectures"
# How often a network halves, to the power of two.
MULTIPLES = {
    **dict.fromkeys(("efficientnet", "linknet", "segnet", "contextnet"), 32),
    **dict.fromkeys(("unet", "mobilenet_v3_small", "squeeze_unet", "attention_squeeze_unet", "sqnet"), 16),
    **dict.fromkeys(("enet", "erfnet", "edanet", "espnetv2", "fssnet", "esnet"), 8),
    **dict.fromkeys(("cgnet", "dabnet", "fpenet"), 8),
    "micronet": 4,
}


@pytest.fixture(scope="module", params=zoo.architectures())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def built(name):
    return fresh(name)


@pytest.fixture
def model(built):
    """A fresh network for one test."""
    return copy.deepcopy(built)


def test_logits_have_the_size_of_the_input_and_any_number_of_channels(name):
    logits = weightless(name, 16, 3)(torch.empty(2, 16, 96, 160, device="meta"))

    assert logits.shape == (2, 3, 96, 160)


@every_network_of_the_study
def test_a_size_that_does_not_fit_is_refused_with_the_size_to_pad_to(name):
    multiple = load_network(name).MULTIPLE
    tall, wide = (next(n for n in range(side, 2 * side) if n % multiple == 0) for side in (250, 65))
    said = rf"{name}: input of 250 x 65 .* multiples of {multiple}\. Pad .* to {tall} x {wide},"
    with pytest.raises(ValueError, match=said):
        weightless(name)(torch.zeros(1, 1, 250, 65, device="meta"))
    with pytest.raises(ValueError, match=f"{name}: .* multiples of {multiple}"):
        weightless(name)(torch.zeros(1, 1, multiple, multiple // 2, device="meta"))


@pytest.mark.slow
def test_the_smallest_size_that_the_pipeline_pads_to_can_be_trained_on(name, model):
    multiple = load_network(name).MULTIPLE
    logits = step(model, noise(2, multiple))

    assert multiple == MULTIPLES.get(name, multiple)
    assert logits.shape == (2, 1, multiple, multiple)
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@pytest.mark.slow
def test_fresh_logits_have_both_signs_and_every_parameter_receives_a_gradient(name, model):
    """A sigmoid at the end would leave no negative logits.

    Gradients under some draw of weights: a gate of one hidden ReLU, as in smp's MA-Net, can be drawn dead.
    """
    silent = {key for key, _ in model.named_parameters()}
    for seed in range(6):
        model = fresh(name, seed) if seed else model
        logits = step(model, noise())
        assert logits.min() < 0 < logits.max()
        assert all(grad is not None for grad in gradients(model).values())
        silent &= {key for key, grad in gradients(model).items() if not grad.any()}
        if not silent:
            break

    assert silent == set()


@pytest.mark.slow
def test_forward_and_backward_are_finite_under_bf16_autocast(model):
    with torch.autocast("cpu", torch.bfloat16):
        logits = step(model, noise(2, 32))

    assert logits.dtype == torch.bfloat16
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@pytest.mark.slow
def test_the_channels_may_come_last_in_memory(built, model):
    images = noise()
    other, last = (each.to(memory_format=torch.channels_last) for each in (model, images))
    with torch.no_grad():
        expected = copy.deepcopy(built).eval()(images)
        torch.testing.assert_close(other.eval()(last), expected, rtol=1e-4, atol=1e-5)

    step(other.train(), last)
    assert all(grad.isfinite().all() for grad in gradients(other).values())


@pytest.mark.slow
def test_a_single_slice_can_be_trained_on(model):
    """At 64 pixels no network is left with a single place, for which a batch of one has no statistics."""
    logits = step(model, noise(1))

    assert logits.shape == (1, 1, 64, 64)
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@pytest.mark.slow
def test_constant_slices_give_finite_logits_and_gradients(model):
    """An empty slice is constant: a variance of 0 must not be divided by, neither a batch's nor a slice's."""
    images = noise(3, 32)
    images[0], images[1] = 0.0, 3.0
    logits = step(model, images)

    assert logits.isfinite().all()
    assert all(grad.isfinite().all() for grad in gradients(model).values())
    with torch.no_grad():
        assert model(images[1:2].repeat(2, 1, 1, 1)).isfinite().all()
        assert model.eval()(images[1:2]).isfinite().all()


@pytest.mark.slow
@torch.no_grad()
def test_an_exported_network_computes_the_same(model):
    images = noise()
    exported = torch.export.export(model.eval(), (images,)).module()

    torch.testing.assert_close(exported(images), model(images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_in_one_graph(model):
    """Traced forwards and backwards, and run as torch's operations: machine code would take minutes.

    In double precision, so that a statistic of a few values does not blow rounding up.
    """
    torch.compiler.reset()
    plain = model.double()
    other = copy.deepcopy(plain)
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)
    torch.manual_seed(1)  # so that both drop the same
    expected = step(plain, noise().double())
    torch.manual_seed(1)
    found = step(compiled, noise().double())

    assert (found - expected).norm() <= 1e-6 * expected.norm()
    for one, two in zip(gradients(plain).values(), gradients(other).values(), strict=True):
        assert (one - two).norm() <= 1e-5 * one.norm() + 1e-9


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A process group of one, without a port: what is tested is the bookkeeping of gradients."""
    store = distributed.FileStore(str(tmp_path_factory.mktemp("group") / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1, timeout=timedelta(seconds=60))
    yield
    distributed.destroy_process_group()


@pytest.mark.slow
def test_data_parallel_training_waits_for_no_unused_parameter(model, alone):
    """Where a parameter got no gradient, the second step raises."""
    parallel = DistributedDataParallel(model, find_unused_parameters=False)
    for _ in range(2):
        step(parallel, noise())

    assert all(grad is not None for grad in gradients(model).values())


def test_data_parallel_training_would_notice_an_unused_parameter(alone):
    layer = nn.Conv2d(1, 1, 1)
    layer.unused = nn.Conv2d(1, 1, 1)
    model = DistributedDataParallel(layer, find_unused_parameters=False)
    step(model, noise())

    with pytest.raises(RuntimeError, match="Expected to have finished reduction"):
        step(model, noise())


@pytest.mark.slow
def test_deterministic_algorithms_exist_for_every_layer(built, model):
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for network in (model, copy.deepcopy(built)):
            torch.manual_seed(0)
            runs.append([step(network, noise(2, 32)), *gradients(network).values()])
    finally:
        torch.use_deterministic_algorithms(False)

    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


@torch.no_grad()
def test_a_slice_is_segmented_alone_as_among_others_and_after_loading(name, model):
    saved, other, images = io.BytesIO(), fresh(name, seed=1).eval(), noise(2, 32)
    torch.save(model.state_dict(), saved)
    saved.seek(0)
    other.load_state_dict(torch.load(saved, weights_only=True))
    among, alone = model.eval()(images), torch.cat([other(image[None]) for image in images])

    torch.testing.assert_close(alone, among, rtol=1e-4, atol=1e-5)


def test_an_unknown_network_is_answered_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"'attention_squeeze'; did you mean attention_squeeze_unet or"):
        zoo.create("attention_squeeze")


def test_a_network_without_classes_is_refused():
    with pytest.raises(ValueError, match="classes is 0; expected 1 or more"):
        zoo.create("unet", classes=0)


def test_an_architecture_imports_no_other(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ]

    assert [
        module for module in imported if module.removeprefix("zoo.architectures.") in zoo.architectures()
    ] == []


@every_network_of_the_study
def test_an_architecture_names_its_paper(name):
    docstring = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))

    assert any(word in docstring for word in ("arXiv:", "doi:", "openreview.net/"))
    assert f"{count(weightless(name)):,} parameters" in docstring
