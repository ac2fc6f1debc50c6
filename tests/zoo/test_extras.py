"""The networks beyond the study, and the classifiers: libraries' networks, held to what ours are held to."""

import ast
import io
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from tests.networks import count, fresh, noise, step, weightless
from zoo._registry import find_entry, load, load_network, side_to_pad_to
from zoo.classifiers import vit

ROOT = Path(zoo.__file__).parents[1]
every_extra = pytest.mark.parametrize("name", zoo.extras())
# A large encoder differs from the small one of its decoder in numbers alone; of MONAI's networks the small
# ones are asked in every run.
LARGE = ("monai_unetr", "monai_attention_unet", "monai_dynunet", "resnet50", "mit_b2")
every_small_extra = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.endswith(LARGE)) for name in zoo.extras()]
)
every_classifier = pytest.mark.parametrize("name", zoo.classifiers())

# Measured on the libraries' own networks at one channel in and one class out.
PARAMETERS = {
    "monai_attention_unet": 31_739_185,
    "monai_basic_unet": 1_978_433,
    "monai_segresnet": 394_977,
    "smp_linknet_resnet18": 11_657_505,
}
# timm's published counts are at three channels, 1,000 classes and 224 pixels; from there by hand.
CLASSIFIERS = {
    "densenet": 7_978_856 - 1_001 * 1_000 - 24 * 1_000 + 1_025 - 64 * 2 * 49,
    "efficientnet": 5_288_548 - 1_281 * 1_000 + 1_281 - 32 * 2 * 9,
    # At 64 pixels windows of the last two stages shrink from 7 to 4 and 2: tables of 7² and 3² for 13².
    "swin": 28_288_354 - 769 * 1_000 + 769 - 96 * 2 * 16 - 6 * 12 * (169 - 49) - 2 * 24 * (169 - 9),
    "vit": 22_050_664 - 385 * 1_000 + 385 - 384 * 2 * 256 - 384 * (196 - 16),
    "mlp": 4_097 * 128 + 129 * 128 + 129,
}


# urllib3 tries a socket when it is imported, to see whether there is IPv6.
pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use socket")


@pytest.fixture(autouse=True)
def _no_network(socket_disabled):
    """Nothing may be downloaded unless asked for."""


@cache
def shapes(name: str) -> nn.Module:
    """Return an extra at one channel in and one class out, without weights."""
    return weightless(name).eval()


@cache
def classifier(name: str) -> nn.Module:
    torch.manual_seed(0)
    return zoo.create_classifier(name, image_size=64)


def docstring(name: str, folder: str) -> str:
    return ast.get_docstring(ast.parse(find_entry(folder, name).path.read_text()))


def test_an_extra_has_a_name_of_its_own():
    assert set(zoo.extras()) & set(zoo.architectures()) == set()
    assert zoo.networks() == zoo.architectures() + zoo.extras()


def test_there_is_a_small_and_a_large_encoder_for_each_decoder():
    decoders = [name.split("_")[1] for name in zoo.extras() if name.startswith("smp_")]

    assert {name: decoders.count(name) for name in decoders} == dict.fromkeys(
        ("unet", "linknet", "deeplabv3plus", "fpn", "segformer"), 2
    )


@every_extra
def test_an_extra_has_the_parameters_that_it_says(name):
    assert f"{count(shapes(name)):,} parameters" in docstring(name, "extras")


@pytest.mark.parametrize("name", PARAMETERS)
def test_an_extra_is_its_librarys_network(name):
    assert count(shapes(name)) == PARAMETERS[name]


@every_small_extra
@torch.no_grad()
@pytest.mark.slow
def test_an_extras_logits_have_the_size_of_the_input(name):
    model = weightless(name, in_channels=3, classes=2).eval()

    assert model(torch.empty(2, 3, 96, 160, device="meta")).shape == (2, 2, 96, 160)


@every_extra
def test_a_size_that_does_not_fit_is_refused_with_the_multiple(name):
    multiple = load_network(name).MULTIPLE
    with pytest.raises(ValueError, match=rf"{name}: input of 250 x 65 .* multiples of {multiple}\b"):
        shapes(name)(torch.zeros(1, 1, 250, 65, device="meta"))


@every_extra
def test_a_slice_that_is_too_small_is_refused_with_the_size_that_the_pipeline_pads_to(name):
    side = side_to_pad_to(name, 1)
    small = torch.zeros(1, 1, side // 2, side // 2, device="meta")
    with pytest.raises(ValueError, match=rf"Pad the slices to {side} x {side},"):
        shapes(name)(small)


@every_small_extra
@pytest.mark.slow
def test_an_extra_trains_in_bf16_with_channels_last_at_the_smallest_size_that_the_pipeline_gives_it(name):
    side = side_to_pad_to(name, 1)
    model = fresh(name).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = step(model, noise(2, side).to(memory_format=torch.channels_last))

    assert logits.shape == (2, 1, side, side)
    assert all(weights.grad.isfinite().all() for weights in model.parameters())


@every_small_extra
def test_every_parameter_of_an_extra_receives_a_gradient_by_deterministic_algorithms(name):
    torch.use_deterministic_algorithms(True)
    try:
        model = fresh(name)
        step(model, noise())
    finally:
        torch.use_deterministic_algorithms(False)

    grads = {key: weights.grad for key, weights in model.named_parameters()}
    assert [key for key, grad in grads.items() if grad is None or not grad.any()] == []


@every_small_extra
@torch.no_grad()
@pytest.mark.slow
def test_an_extra_segments_a_slice_alone_as_among_others_and_after_loading(name):
    model, other, images, saved = fresh(name).eval(), fresh(name, seed=1).eval(), noise(2), io.BytesIO()
    torch.save(model.state_dict(), saved)
    saved.seek(0)
    other.load_state_dict(torch.load(saved, weights_only=True))
    among, alone = model(images), torch.cat([other(image[None]) for image in images])

    torch.testing.assert_close(alone, among, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_unetr_is_monais_at_the_size_whose_places_it_learns():
    model, images = fresh("monai_unetr").eval(), noise(1, 256)

    torch.testing.assert_close(model(images), model.net(images))


def test_a_network_without_pretrained_weights_says_so():
    with pytest.raises(ValueError, match="monai_unetr has no pretrained weights"):
        zoo.create("monai_unetr", pretrained=True)


def test_pretrained_weights_that_cannot_be_had_are_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    said = r"^smp_unet_resnet18: the ImageNet weights of resnet18 could not be had.*leave out `pretrained`"
    with pytest.raises(OSError, match=said):
        zoo.create("smp_unet_resnet18", pretrained=True)


@pytest.mark.parametrize(
    ("options", "networks"), [((), zoo.architectures()), (("--extras",), zoo.networks())]
)
@pytest.mark.slow
def test_the_suite_runs_the_extras_only_when_asked(options, networks):
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks", "--collect-only", "-q", "-k", "baseline", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout

    cases = {line.split("[")[1].removesuffix("-baseline]") for line in found.splitlines() if "[" in line}
    assert cases == set(networks)


def test_the_classifiers_are_those_of_the_study():
    assert set(zoo.classifiers()) == set(CLASSIFIERS)


@every_classifier
def test_a_classifier_has_the_parameters_of_its_paper(name):
    assert count(classifier(name)) == CLASSIFIERS[name]
    assert f"{CLASSIFIERS[name]:,} parameters" in docstring(name, "classifiers")


@every_classifier
def test_a_classifier_gives_one_logit_per_slice_and_a_gradient_to_every_parameter(name):
    model = classifier(name)

    assert step(model, noise(3)).shape == (3, 1)
    assert [key for key, weights in model.named_parameters() if weights.grad is None] == []


@every_classifier
@torch.no_grad()
@pytest.mark.slow
def test_a_classifier_takes_any_size_channels_and_classes(name):
    model = zoo.create_classifier(name, image_size=96, in_channels=3, classes=4).eval()

    assert model(torch.zeros(2, 3, 96, 96)).shape == (2, 4)


@every_classifier
def test_a_classifier_refuses_slices_that_are_too_small(name):
    with pytest.raises(ValueError, match=rf"{name}: slices of 16 x 16 pixels; expected sides of 32 or more"):
        zoo.create_classifier(name, image_size=16)


def test_a_classifier_refuses_slices_that_it_would_crop():
    """timm's ViT leaves out the pixels beyond the last whole patch, and says nothing."""
    with pytest.raises(ValueError, match=rf"vit: slices of 100 x 100 .* multiples of {vit.MULTIPLE}"):
        zoo.create_classifier("vit", image_size=100)


def test_an_unknown_classifier_is_answered_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"unknown classifier 'densnet'; did you mean densenet\?"):
        load("classifiers", "densnet")
