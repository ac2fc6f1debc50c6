"""Training for 8-bit integers by its mechanism: what is rounded, when, and what is left in the end."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from tests.simulated.tiny_slices import losses, slices, small_recipe
from zoo.architectures._unpool import unpool
from zoo.model.quantizing import Quantizing
from zoo.training.learner import Learner

pytestmark = pytest.mark.usefixtures("patterns_exported_once")

IMAGE_SIZE = 16
EPOCHS = 4  # two as ever, two rounded


def network(name: str = "", in_channels: int = 1, classes: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, classes, 1)
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return slices(tmp_path_factory.mktemp("slices"), size=IMAGE_SIZE)


@pytest.fixture(scope="module", autouse=True)
def small_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.model.build.create_network", network)
        yield


@pytest.fixture(scope="module")
def trained(data):
    return zoo.train(small_recipe("int8_qat", epochs=EPOCHS), data)


@pytest.fixture
def learner():
    recipe = small_recipe("int8_qat", epochs=EPOCHS)
    torch.manual_seed(0)
    learner = Learner(recipe, network(), recipe.learning_rate, 1)
    learner.prepare(IMAGE_SIZE, 4, 4)
    return learner


def batch(slices: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(slices, 1, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return image, (image > 0.5).float()


def run_epochs(learner: Learner, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        learner.begin_epoch(epoch)
        for _ in range(3):
            learner.step(*batch())


def most_values_in_a_map(graph: nn.Module) -> int:
    """Return how many different values the maps that go into layers have, at most."""
    counts = []
    roundings = [module for module in graph.modules() if not getattr(module, "is_per_channel", True)]
    hooks = [
        rounding.register_forward_hook(lambda _module, _inputs, output: counts.append(len(output.unique())))
        for rounding in roundings
    ]
    graph.eval()(batch()[0])
    for hook in hooks:
        hook.remove()
    assert len(counts) == 2
    return max(counts)


@pytest.mark.slow
def test_until_the_rounding_begins_the_losses_are_the_baselines(data, trained):
    plain = losses(zoo.train(small_recipe("baseline", epochs=EPOCHS), data))
    rounded = losses(trained)

    assert np.allclose(rounded[:2], plain[:2], rtol=1e-4)
    assert not np.allclose(rounded[2:], plain[2:], rtol=1e-6)


def test_the_optimiser_moves_the_weights_of_the_graph(learner):
    held = {id(weight) for group in learner.optimizer.param_groups for weight in group["params"]}

    assert held == {id(weight) for weight in learner.model.parameters()}


def test_rounded_weights_are_whole_multiples_of_one_step_per_output_channel(learner):
    run_epochs(learner, 1, 3)
    rounding = next(
        module
        for module in learner.model.modules()
        if getattr(module, "is_per_channel", False) and module.scale.numel() == 8
    )
    weight = torch.randn(8, 1, 3, 3) * 0.05
    rounded = rounding(weight)
    step = rounding.scale.view(8, 1, 1, 1)
    by_hand = (weight / step).round().clamp(-128, 127) * step

    assert torch.allclose(rounded, by_hand, atol=1e-7)


def test_before_its_first_epoch_nothing_is_rounded_and_after_it_everything_is(learner):
    run_epochs(learner, 1, 2)
    smooth = most_values_in_a_map(learner.model)
    run_epochs(learner, 3, 3)
    stepped = most_values_in_a_map(learner.model)

    assert smooth > 256
    assert stepped <= 256


def test_what_is_judged_does_not_move_the_ranges(learner, data):
    run_epochs(learner, 1, 3)
    learner.begin_validation(feed=None)
    before = copy.deepcopy(learner.model.state_dict())
    learner.judge(100 * batch()[0], batch()[1])

    moved = [
        name for name, value in learner.model.state_dict().items() if not torch.equal(value, before[name])
    ]

    # The exported graph goes on counting batches, and nothing reads that count.
    assert [name for name in moved if not name.endswith("num_batches_tracked")] == []


def test_the_network_that_comes_out_has_integers_for_weights_and_answers_as_it_was_judged(learner):
    run_epochs(learner, 1, EPOCHS)
    learner.begin_validation(feed=None)
    judged = copy.deepcopy(learner.model)(batch(3)[0])
    learner.finish(learner.model.state_dict())
    integers = [value for value in learner.model.buffers() if value.dtype == torch.int8]
    answer = learner.judged.eval()(batch(3)[0])

    assert sorted(value.numel() for value in integers) == [8, 72]
    assert not [weight for weight in learner.model.parameters() if weight.numel() >= 72]
    # Folding batch normalisation may send a figure that lay between two steps to the other one.
    assert (answer - judged).abs().max() < 0.1 * judged.abs().max()


def test_integers_are_the_folded_weights_to_half_a_step():
    torch.manual_seed(0)
    model = network()
    model[1].running_var.fill_(4.0)
    quantizing = Quantizing(small_recipe("int8_qat", epochs=1))
    graph = quantizing.graph(model, IMAGE_SIZE)
    quantizing.before(1, graph)
    graph.eval()(batch()[0])
    folded = model[0].weight / (4.0 + model[1].eps) ** 0.5
    integers = next(value for value in quantizing.integers(graph).buffers() if value.numel() == 72)
    step = folded.detach().abs().amax(dim=(1, 2, 3), keepdim=True) / 127.5

    assert integers.dtype == torch.int8
    assert (integers * step - folded).abs().max() <= 0.51 * step.max()


def test_the_record_says_what_is_in_integers_even_if_no_epoch_before_the_rounding_made_progress(data):
    """With a patience of one epoch, which would have ended the training before there are ranges."""
    recipe = small_recipe("int8_qat", epochs=EPOCHS, early_stop_patience=1, early_stop_min_delta=0.9)
    trained = zoo.train(recipe, data)
    told = trained.applied["int8_qat"]

    assert (told["first_epoch"], told["layers_int8"], told["weights_int8"]) == (3, 2, 80)
    assert told["weights"] == trained.params == 8 * 9 + 8 + 16 + 8 + 1
    assert trained.best_epoch >= 3


def test_a_split_of_any_number_of_slices_is_scored_in_integers(data, trained):
    assert 0 <= zoo.evaluate(trained.model, data.test, small_recipe("int8_qat")).dice <= 1


def test_the_same_seed_gives_identical_losses(data, trained):
    assert losses(zoo.train(small_recipe("int8_qat", epochs=EPOCHS), data)) == losses(trained)


def test_a_network_with_nothing_to_round_is_a_failed_case(data, monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", lambda name: nn.BatchNorm2d(1))

    with pytest.raises(zoo.Ineffective, match="found no layer"):
        zoo.train(small_recipe("int8_qat", epochs=2), data)


@pytest.mark.parametrize(
    "other",
    ["bf16", "channels_last", "compile", "activation_checkpointing", "prune", "ema", "schedule_free",
     "progressive_resize"],
)  # fmt: skip
def test_what_an_exported_graph_cannot_do_is_refused(other):
    with pytest.raises(ValueError, match="int8_qat is True"):
        zoo.recipe("unet", f"int8_qat+{other}", epochs=6)


class Unpooling(nn.Module):
    """Convolution and un-pooling, as SegNet's and ENet's decoders have them."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.decode = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled, places = nn.functional.max_pool2d(self.norm(self.encode(x)), 2, return_indices=True)
        return self.decode(unpool(pooled, places))


def test_every_layer_of_a_network_with_unpooling_is_rounded():
    quantizing = Quantizing(small_recipe("int8_qat", epochs=1))
    graph = quantizing.graph(Unpooling(), IMAGE_SIZE)
    quantizing.before(1, graph)
    graph.train()(batch()[0])
    quantizing.integers(graph)
    told = quantizing.applied()["int8_qat"]

    assert (told["layers_int8"], told["weights_int8"]) == (2, 72)
