"""Pruning, distillation and sparsity by their mechanism: what leaves a network, and who teaches it."""

import copy
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import zoo
from benchmarks.training import watch
from benchmarks.work import Teller
from tests.networks import count, weightless
from tests.simulated.tiny_slices import losses, small_recipe
from zoo._registry import load_network, side_to_pad_to
from zoo.model.pruning import ChannelPruner
from zoo.model.quantizing import Quantizing
from zoo.training import distilling
from zoo.training import loop as training
from zoo.training.learner import Learner

IMAGE_SIZE = 16


def network(name: str = "", in_channels: int = 1, classes: int = 1) -> nn.Module:
    """Build a network of two layers that lose channels, tied by a shortcut, and one that answers."""
    return Shortcut(in_channels, classes)


class Shortcut(nn.Module):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32))
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        x = self.first(x)
        return self.head(x + self.second(x))


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", network)


@pytest.fixture(scope="module")
def pruned(data) -> zoo.Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.model.build.create_network", network)
        return zoo.train(small_recipe("prune", epochs=5), data)


def learner_of(technique: str, **changes) -> Learner:
    recipe = small_recipe(technique, epochs=6, **changes)
    torch.manual_seed(0)
    return Learner(recipe, network(), recipe.learning_rate, 1)


def batch(slices: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(slices, 1, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return image, (image > 0.5).float()


def run_epochs(learner: Learner, first: int, last: int, steps: int = 2) -> None:
    for epoch in range(first, last + 1):
        learner.begin_epoch(epoch)
        for _ in range(steps):
            learner.step(*batch())


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


# Channels


def test_half_of_the_channels_leave_in_rounds_of_eight_and_what_is_tied_leaves_together(pruned):
    model = pruned.model

    # 32 less a sixth, a third, a half, each rounded down to a multiple of 8; both layers feed one sum.
    assert pruned.applied["prune"]["channels"] == [2 * 32 + 1, 2 * 24 + 1, 2 * 16 + 1, 2 * 16 + 1]
    assert (model.first[0].out_channels, model.second[0].in_channels, model.head.in_channels) == (16, 16, 16)
    assert model.second[0].weight.shape == (16, 16, 3, 3)


def test_what_stays_of_a_layer_is_half_in_blocks_of_eight_and_eight_at_least():
    """Layers of 40, of 12, and one of 32 that stays whole: a gate of one channel multiplies its maps."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.odd, self.few = nn.Conv2d(1, 40, 3, padding=1), nn.Conv2d(40, 12, 3, padding=1)
            self.gated, self.gate = nn.Conv2d(12, 32, 3, padding=1), nn.Conv2d(12, 1, 1)
            self.head = nn.Conv2d(32, 1, 1)

        def forward(self, x):
            x = self.few(self.odd(x))
            return self.head(self.gated(x) * self.gate(x))

    torch.manual_seed(0)
    model = Gated()
    channels = ChannelPruner(small_recipe("prune", epochs=5), model)
    for _ in range(3):
        model(batch()[0]).square().mean().backward()
        channels.collect(batch()[0])
        channels.round()

    assert [layer.out_channels for layer in model.children()] == [16, 8, 32, 1, 1]


def test_parameters_and_multiplications_of_the_record_are_those_of_the_pruned_network(pruned):
    told = pruned.applied["prune"]
    convolutions = (9 * 1 * 16, 9 * 16 * 16, 16)
    biases_and_norms = (16 + 2 * 16, 16 + 2 * 16, 1)
    with FlopCounterMode(display=False) as counter:
        pruned.model(torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE))

    assert pruned.params == sum(convolutions) + sum(biases_and_norms) == told["params"][-1]
    assert pruned.macs_per_slice == IMAGE_SIZE**2 * sum(convolutions) == counter.get_total_flops() // 2
    assert told["macs_per_slice"][-1] == pruned.macs_per_slice
    assert told["params"][0] == count(network())


@pytest.mark.parametrize("optimizer", ["adam", "novograd"])
def test_after_a_round_the_optimiser_holds_the_pruned_network_and_nothing_else(optimizer):
    """The study's code left the old parameters in the optimiser: its pruned layers learnt no more."""
    learner = learner_of("prune", optimizer=optimizer)
    run_epochs(learner, 1, 1)
    learner.begin_epoch(2)
    before = weights_of(learner.model)
    learner.step(*batch())
    held = [weights for group in learner.optimizer.param_groups for weights in group["params"]]

    assert before["second.0.weight"].shape == (24, 24, 3, 3)
    assert {id(weights) for weights in held} == {id(weights) for weights in learner.model.parameters()}
    # A bias before batch normalisation moves no loss; Adam and Novograd move all the others.
    unchanged = {n for n, w in learner.model.named_parameters() if torch.equal(w, before[n])}
    assert unchanged <= {"first.0.bias", "second.0.bias"}


def test_the_channels_that_leave_are_those_with_the_smallest_weight_times_gradient():
    """By hand, for a layer on a path of its own: |weight · gradient| over all that touches a channel."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 1))
    original = copy.deepcopy(model)
    channels = ChannelPruner(small_recipe("prune", epochs=5, prune_rounds=1), model)
    total = [torch.zeros_like(weights) for weights in model.parameters()]
    for seed in (0, 1, 2):
        image, wanted = torch.randn(2, 2, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
        model.zero_grad()
        (model(image) * wanted).mean().backward()
        channels.collect(image)
        total = [kept + weights.grad for kept, weights in zip(total, model.parameters(), strict=True)]
    out = (original[0].weight * total[0]).abs().sum((1, 2, 3))
    into = (original[2].weight * total[2]).abs().sum((0, 2, 3))
    # Both are connected, so the mean of both counts.
    kept = ((out + into) / 2).argsort()[8:].sort().values
    channels.round()

    assert torch.equal(model[0].weight, original[0].weight[kept])
    assert torch.equal(model[2].weight, original[2].weight[:, kept])


def test_channels_last_is_kept_through_a_round():
    learner = learner_of("prune+channels_last")
    learner.model.to(memory_format=torch.channels_last)
    run_epochs(learner, 1, 2)

    assert learner.model.second[0].weight.shape == (24, 24, 3, 3)
    assert learner.model.second[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_without_torch_pruning_the_reason_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert zoo.unavailable(small_recipe("prune", epochs=4)) == (
        "prune needs torch_pruning: pip install 'joulebench[techniques]'"
    )


def test_after_a_round_running_statistics_are_the_plain_mean_over_the_next_epoch():
    learner = learner_of("prune")
    run_epochs(learner, 1, 1)
    learner.begin_epoch(2)
    norm, means = learner.model.first[1], []
    learner.model.first[0].register_forward_hook(lambda *args: means.append(args[-1].mean((0, 2, 3))))
    for seed in range(3):
        learner.step(batch()[0] + seed, batch()[1])
    refreshed = norm.running_mean.clone()
    learner.begin_epoch(5)

    torch.testing.assert_close(refreshed, torch.stack(means).mean(0).detach())
    assert norm.momentum == 0.1


def test_the_weights_kept_are_those_of_an_epoch_after_the_last_round(data, monkeypatch):
    """Before it the validation says better figures; they belong to another network."""
    said = iter([0.1, 0.2, 0.3, 0.9, 0.8, 0.85])
    monkeypatch.setattr(training, "_validate", lambda *_: (next(said), 0.5, 0.5))
    trained = zoo.train(small_recipe("prune", epochs=6), data)

    assert trained.best_epoch == 5
    assert trained.params == trained.applied["prune"]["params"][-1]


def test_early_stopping_counts_from_the_last_round(data, monkeypatch):
    said = iter([0.1, 0.2, 0.3, *[0.9] * 40])
    monkeypatch.setattr(training, "_validate", lambda *_: (next(said), 0.5, 0.5))

    assert len(zoo.train(small_recipe("prune+early_stop", epochs=40), data).epochs) == 4 + 15


def test_a_network_that_keeps_every_channel_is_a_failed_case(data, monkeypatch):
    narrow = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 1))
    monkeypatch.setattr("zoo.model.build.create_network", lambda name: copy.deepcopy(narrow))

    with pytest.raises(zoo.Ineffective, match=r"pruning in 3 rounds took nothing: each layer had 8 channels"):
        zoo.train(small_recipe("prune", epochs=5), data)


def test_the_network_that_comes_out_is_a_plain_one(pruned):
    model, image = pruned.model, batch()[0]

    assert torch.equal(pickle.loads(pickle.dumps(model))(image), model(image))
    assert {norm.momentum for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)} == {0.1}


@pytest.mark.parametrize("name", zoo.networks())
def test_a_network_says_what_cannot_be_cut_by_a_layer_that_it_has(name):
    file = load_network(name)
    reason = getattr(file, "UNPRUNABLE", None)
    refused = zoo.unavailable(zoo.recipe(name, "prune"))

    if reason is None:
        assert refused is None
    else:
        layers = {part for path, _ in weightless(name).named_modules() for part in (path, path[4:])}
        assert reason.split()[0].rstrip(",") in layers
        assert refused == f"prune: torch-pruning cannot cut {name}: {reason}"


PRUNABLE = [name for name in zoo.architectures() if not hasattr(load_network(name), "UNPRUNABLE")]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "attention_squeeze_unet")) for name in PRUNABLE],
)
def test_every_other_network_of_the_study_loses_channels_and_still_learns(name):
    model = zoo.create(name)
    whole = count(model)
    channels = ChannelPruner(replace(zoo.recipe(name, "prune"), prune_rounds=2), model)
    side = side_to_pad_to(name, 32)
    image = torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        model(image).square().mean().backward()
        channels.collect(image)
        channels.round()
    model(image).square().mean().backward()
    left = channels.applied()["prune"]

    assert left["params"][0] == whole
    assert left["params"][-1] == count(model) < 0.65 * whole
    assert left["macs_per_slice"][-1] < 0.65 * left["macs_per_slice"][0]
    assert all(weights.grad.isfinite().all() for weights in model.parameters())


# Single weights


def test_four_fifths_of_the_weights_are_zero_in_the_end_and_none_less_is_trained(data):
    trained = zoo.train(small_recipe("prune_unstructured", epochs=5), data)
    kernels = [layer.weight for layer in trained.model.modules() if isinstance(layer, nn.Conv2d)]
    weights, zeros = sum(k.numel() for k in kernels), sum(int((k == 0).sum()) for k in kernels)

    assert zeros == round(0.8 * weights)
    assert trained.applied["prune_unstructured"] == {"zeros": zeros, "weights": weights}
    assert trained.params == count(network())  # a zero costs what a weight costs
    assert set(trained.model.state_dict()) == set(network().state_dict())  # masks are gone


def test_the_smallest_of_the_whole_network_go_first_and_stay_zero():
    learner = learner_of("prune_unstructured")
    run_epochs(learner, 1, 1)
    layers = [layer for layer in learner.model.modules() if isinstance(layer, nn.Conv2d)]
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    learner.begin_epoch(2)
    gone = torch.cat([(layer.weight == 0).flatten() for layer in layers])
    learner.step(*batch())
    learner.model(batch()[0])
    gone_after = torch.cat([(layer.weight == 0).flatten() for layer in layers])

    expected = sizes <= sizes.sort().values[round(len(sizes) * 0.8 / 3) - 1]
    assert torch.equal(gone, expected)
    assert torch.equal(gone_after, expected)


# Semi-structured


def test_a_pattern_that_no_convolution_can_use_is_skipped_with_that_reason(data):
    recipe = small_recipe("sparse_2_4")

    assert zoo.unavailable(recipe).startswith("sparse_2_4: torch has 2:4 sparse kernels for linear layers")
    with pytest.raises(ValueError, match="none for convolutions"):
        zoo.train(recipe, data)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA the refusal is another one")
def test_torch_itself_refuses_the_pattern_here():
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.sparse.to_sparse_semi_structured(torch.tensor([[0.0, 0.0, 1.0, 1.0] * 32] * 64))


# Distillation


def student(**changes) -> zoo.Recipe:
    return replace(small_recipe("distill", **changes), architecture="squeeze_unet")


def test_soft_targets_are_those_of_the_paper():
    """By hand: T² · cross entropy of softened answers; at high T its gradient is a squared distance's."""
    logits, taught = (
        torch.tensor([2.0, -1.0], dtype=torch.float64),
        torch.tensor([0.5, 3.0], dtype=torch.float64),
    )
    p, q = (1 / (1 + np.exp(-values.numpy() / 3.0)) for values in (taught, logits))
    by_hand = 9 * np.mean(-p * np.log(q) - (1 - p) * np.log(1 - q))
    logits.requires_grad_(True)
    distilling.soft(logits, taught, 1000.0).backward()

    assert distilling.soft(logits, taught, 3.0).item() == pytest.approx(by_hand)
    # Two classes, each 1/2: the gradient of z is (z - v) / 4, over 2 answers.
    torch.testing.assert_close(logits.grad, (logits.detach() - taught) / 8, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_a_step_mixes_the_masks_loss_with_the_teacher_s_and_moves_the_student_alone(weight):
    torch.manual_seed(0)
    model, teacher = network(), network()
    first, taught = copy.deepcopy(model), copy.deepcopy(teacher).eval()
    recipe = replace(student(), distill_weight=weight, distill_temperature=4.0)
    learner = Learner(recipe, model.train(), 1e-3, 1, teacher)
    image, mask = batch()
    loss = learner.step(image, mask)
    logits, found = first(image), first.train()(image).sigmoid()
    dice = 1 - (2 * (found * mask).sum() + 1e-5) / (found.sum() + mask.sum() + 1e-5)
    soft = 16 * F.binary_cross_entropy_with_logits(logits / 4, (taught(image) / 4).sigmoid())

    torch.testing.assert_close(loss, ((1 - weight) * dice + weight * soft).detach())
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), taught.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(teacher.buffers(), taught.buffers(), strict=True))
    assert not torch.equal(model.head.weight, first.head.weight)


def test_the_teacher_is_the_baseline_of_its_network_with_the_same_data_and_seed(data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "zoo.training.learner.Teacher.__init__",
        lambda self, recipe, model: seen.append(model) or setattr(self, "_distances", [torch.zeros(())]),
    )
    monkeypatch.setattr("zoo.training.learner.Teacher.mixed", lambda self, loss, *_: loss)
    monkeypatch.setattr("zoo.training.learner.Teacher.applied", lambda self: {})
    zoo.train(student(), data, seed=5)
    plain = zoo.train(small_recipe(), data, seed=5)

    assert all(
        torch.equal(value, plain.model.state_dict()[name]) for name, value in seen[0].state_dict().items()
    )


@pytest.mark.parametrize(
    "others",
    ["", "+int8_qat", "+prune", "+prune_unstructured", "+compile", "+fp8", "+tf32", "+power_limit_80"],
)
def test_what_is_done_to_the_student_alone_leaves_its_teacher_the_baseline(others):
    recipe = zoo.recipe("squeeze_unet", "distill" + others)

    assert zoo.make_teachers_recipe(recipe) == zoo.recipe("unet")


def test_what_all_trainings_of_a_recipe_share_its_teacher_has_too():
    recipe = zoo.recipe("squeeze_unet", "distill+bf16+cache+novograd", epochs=7)

    assert zoo.make_teachers_recipe(recipe) == replace(
        zoo.recipe("unet", "bf16+cache+novograd", epochs=7), technique="baseline"
    )


def test_a_student_in_integers_learns_from_a_teacher_in_fp32(data, monkeypatch):
    """The teacher's weights, which PT2E would have exchanged; the tracing of the student is left out."""
    pytest.importorskip("torchao")
    monkeypatch.setattr(Quantizing, "graph", lambda self, model, side: model)
    monkeypatch.setattr(Quantizing, "integers", lambda self, graph: seen.append("integers") or graph)
    seen, told = [], distilling.Teacher.__init__

    def teacher(self, recipe, model):
        seen.append({value.dtype for value in model.parameters()})
        told(self, recipe, model)

    monkeypatch.setattr(distilling.Teacher, "__init__", teacher)
    zoo.train(replace(student(epochs=2), int8_qat=True), data)

    assert seen == [{torch.float32}, "integers"]


def test_the_teacher_s_training_is_told_before_the_set_up_and_its_seconds_count(data):
    trained = None

    def steps():
        nonlocal trained
        trained = yield from zoo.epochs(student(), data)

    taught, setup, *history = steps()
    plain = zoo.train(small_recipe(), data)

    assert (taught.architecture, taught.epochs) == ("unet", 3)
    assert taught.val_dice == plain.epochs[plain.best_epoch - 1].val_dice
    assert trained.seconds == pytest.approx(taught.seconds + setup.seconds + sum(e.seconds for e in history))
    assert [epoch.val_loss for epoch in history] != [epoch.val_loss for epoch in plain.epochs]


def test_a_student_comes_nearer_to_its_teacher(data):
    recipe = replace(student(epochs=8, learning_rate=0.01), distill_weight=1.0)
    first, last = zoo.train(recipe, data).applied["distill"]["soft_loss"]

    assert last < first


def test_the_validation_loss_stays_that_of_the_masks_alone(data):
    trained = zoo.train(student(epochs=1), data)
    with torch.no_grad():
        found = trained.model(torch.from_numpy(data.val.images)).sigmoid().numpy()
    masks = data.val.masks
    dice_loss = 1 - (2 * (found * masks).sum() + 1e-5) / (found.sum() + masks.sum() + 1e-5)

    assert trained.epochs[0].val_loss == pytest.approx(dice_loss, rel=1e-5)


def test_the_suite_reads_the_meters_when_the_teacher_is_trained(data):
    marks, case = [], SimpleNamespace(name="squeeze_unet-distill", wanted=frozenset())
    window = SimpleNamespace(mark=lambda kind, **facts: marks.append((kind, facts)), so_far=lambda: None)
    repeat = SimpleNamespace(window=window, facts={}, seed=0)
    live = SimpleNamespace(progress=lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.training.progress.line", lambda *_: "")
        teller = Teller(case, student(), data.image_size, len(data.train), len(data.val))
        watch(zoo.epochs(student(epochs=1), data), case, repeat, student(), live, teller)

    assert [kind for kind, _ in marks] == ["teacher", "setup", "epoch"]
    assert "val_dice" not in marks[0][1]  # the teacher's Dice is not what the case has reached
    assert repeat.facts["teacher"]["architecture"] == "unet"


def test_unet_does_not_teach_itself(data):
    assert "unet is the teacher" in zoo.unavailable(zoo.recipe("unet", "distill"))
    with pytest.raises(ValueError, match="nothing to learn from itself"):
        zoo.train(small_recipe("distill"), data)


# All of them


@pytest.mark.parametrize("technique", ["prune", "prune_unstructured", "distill"])
def test_the_same_seed_gives_identical_losses(data, technique):
    recipe = replace(small_recipe(technique, epochs=4), architecture="squeeze_unet")

    assert losses(zoo.train(recipe, data, seed=3)) == losses(zoo.train(recipe, data, seed=3))


@pytest.mark.parametrize("technique", ["prune", "prune_unstructured", "distill"])
def test_warming_up_runs_the_steps_of_the_technique(data, technique):
    recipe = replace(small_recipe(technique, epochs=4), architecture="squeeze_unet")

    assert zoo.warm_up(recipe, data) > 0


@pytest.mark.parametrize("technique", ["prune", "prune_unstructured"])
def test_too_few_epochs_for_the_rounds_are_a_reason_to_skip(technique):
    assert "3 rounds between epochs need 4 epochs or more" in zoo.unavailable(
        small_recipe(technique, epochs=3)
    )
    assert zoo.unavailable(small_recipe(technique, epochs=4)) is None


@pytest.mark.parametrize(
    ("technique", "reason"),
    [
        ("prune+prune_unstructured", "the one is the control of the other"),
        ("prune+compile", "pruning changes it afterwards"),
        ("prune+fp16_amp", "which fp16 scales"),
        ("prune+swa", "have no mean"),
        ("prune_unstructured+channels_last", "in the usual order of memory"),
    ],
)
def test_pruning_is_refused_with_what_it_would_break(technique, reason):
    with pytest.raises(ValueError, match=reason):
        zoo.recipe("unet", technique)
