"""The losses against formulas in numpy: their values, their gradients, and what they say of empty batches."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import zoo
from tests.simulated.tiny_slices import losses, small_recipe
from zoo.training.losses import build

LOSSES = ("dice", "bce", "mcc", "dice_bce", "focal", "bce_on_probabilities")
TECHNIQUES = ("bce", "mcc", "dice_bce", "focal", "paper_bce_on_probabilities")


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -x)


def cross_entropy(x: np.ndarray, y: np.ndarray) -> float:
    return float(-(y * log_sigmoid(x) + (1 - y) * log_sigmoid(-x)).mean())


def dice_loss(x: np.ndarray, y: np.ndarray) -> float:
    p = np.exp(log_sigmoid(x))
    return float(1 - (2 * (p * y).sum() + 1e-5) / (p.sum() + y.sum() + 1e-5))


def mcc_loss(x: np.ndarray, y: np.ndarray) -> float:
    p = np.exp(log_sigmoid(x))
    both, neither = (p * y).sum(), ((1 - p) * (1 - y)).sum()
    false, missed = (p * (1 - y)).sum(), ((1 - p) * y).sum()
    product = (both + false) * (both + missed) * (neither + false) * (neither + missed)
    return float(1 - (both * neither - false * missed) / np.sqrt(product + 1e-5))


def focal_loss(x: np.ndarray, y: np.ndarray) -> float:
    p = np.exp(log_sigmoid(x))
    of_brain = 0.25 * (1 - p) ** 2 * -log_sigmoid(x)
    of_rest = 0.75 * p**2 * -log_sigmoid(-x)
    return float((y * of_brain + (1 - y) * of_rest).mean())


FORMULAS = {
    "dice": dice_loss,
    "bce": cross_entropy,
    "mcc": mcc_loss,
    "dice_bce": lambda x, y: dice_loss(x, y) + cross_entropy(x, y),
    "focal": focal_loss,
    "bce_on_probabilities": lambda x, y: cross_entropy(np.exp(log_sigmoid(x)), y),
}


def batch(brain: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (3, 1, 6, 5))
    return logits, (generator.uniform(size=logits.shape) < brain).astype(np.float64)


def loss_of(name: str, logits, mask) -> torch.Tensor:
    return build(SimpleNamespace(loss=name))(torch.as_tensor(logits), torch.as_tensor(mask))


def gradient_of(name: str, logits: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    given = torch.tensor(logits, requires_grad=True)
    loss_of(name, given, mask).backward()
    return given.grad


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula_over_the_pixels_of_the_whole_batch(name):
    logits, mask = batch()

    assert loss_of(name, logits, mask).item() == pytest.approx(FORMULAS[name](logits, mask), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_gradient_is_the_slope_of_the_formula(name):
    logits, mask = batch()
    step = np.zeros_like(logits)
    for pixel in ((0, 0, 0, 0), (1, 0, 3, 2), (2, 0, 5, 4)):
        step[:] = 0
        step[pixel] = 1e-4
        slope = (FORMULAS[name](logits + step, mask) - FORMULAS[name](logits - step, mask)) / 2e-4

        assert gradient_of(name, logits, mask)[pixel].item() == pytest.approx(slope, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("sure", [0.0, -100.0, 100.0])
def test_a_batch_without_brain_has_a_finite_loss_and_gradient(name, sure):
    logits, mask = np.full((2, 1, 4, 4), sure), np.zeros((2, 1, 4, 4))

    assert torch.isfinite(loss_of(name, logits, mask))
    assert torch.isfinite(gradient_of(name, logits, mask)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_slice_without_brain_among_others_has_a_gradient(name):
    logits, mask = batch()
    mask[1] = 0

    assert gradient_of(name, logits, mask)[1].abs().min() > 0


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_logits_in_half_precision_have_the_loss_of_the_same_numbers_in_fp32(name, dtype):
    """16 slices of 256 pixels: in float16, MCC is NaN there and Dice a false 1."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((16, 1, 256, 256), generator=generator).to(dtype)
    mask = torch.zeros(logits.shape)
    mask[:, :, 64:160, 64:160] = 1
    found = loss_of(name, logits, mask.to(dtype))

    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(FORMULAS[name](logits.double().numpy(), mask.numpy()), rel=1e-4)


def test_a_perfect_network_is_never_done_by_cross_entropy_on_probabilities():
    """The study's defect: log(1 + 1/e) per brain pixel and log 2 per other pixel remain."""
    _, mask = batch()
    perfect = np.where(mask == 1, 50.0, -50.0)
    share = mask.mean()

    assert loss_of("bce", perfect, mask).item() == pytest.approx(0, abs=1e-9)
    assert loss_of("bce_on_probabilities", perfect, mask).item() == pytest.approx(
        share * np.log(1 + np.exp(-1)) + (1 - share) * np.log(2), rel=1e-5
    )


def test_cross_entropy_on_probabilities_does_not_correct_a_network_that_is_sure_and_wrong():
    logits, mask = np.full((1, 1, 2, 2), 15.0), np.zeros((1, 1, 2, 2))

    assert gradient_of("bce", logits, mask).sum() == pytest.approx(1, rel=1e-4)
    assert gradient_of("bce_on_probabilities", logits, mask).abs().sum() < 1e-6


@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_training_learns_from_the_technique_s_loss_and_validates_with_it(technique, data):
    wanted = small_recipe(technique, epochs=1)
    trained = zoo.train(wanted, data)
    with torch.no_grad():
        logits = trained.model(torch.from_numpy(data.val.images)).double().numpy()

    assert trained.epochs[0].val_loss == pytest.approx(
        FORMULAS[wanted.loss](logits, data.val.masks), rel=1e-4
    )
    assert losses(zoo.train(wanted, data)) == losses(trained)


@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("technique", TECHNIQUES[:-1])
@pytest.mark.slow
def test_a_network_learns_discs_by_every_loss(technique, data):
    wanted = small_recipe(technique, loading="device", epochs=60, learning_rate=0.03)
    trained = zoo.train(wanted, data)

    assert zoo.evaluate(trained.model, data.test, small_recipe()).dice > 0.85


def test_an_unknown_loss_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"loss is 'jaccard'; expected one of 'dice', 'bce', 'mcc'"):
        zoo.recipe("unet", loss="jaccard")
