"""Optimisers, schedules, accumulation and averages by their mechanisms, against what others compute."""

import copy
import math
import multiprocessing
from itertools import pairwise

import numpy as np
import pytest
import torch
from monai.optimizers import Novograd
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from tests.simulated.tiny_slices import losses, network, slices, small_recipe
from zoo.feeding import feed
from zoo.training import averaging, optimizers
from zoo.training.learner import Learner
from zoo.training.novograd import ForeachNovograd
from zoo.training.updates import Groups

REAL = "attention_squeeze_unet"


@pytest.fixture(scope="module")
def real_data(tmp_path_factory):
    return slices(tmp_path_factory.mktemp("slices"), train=8, val=4, size=32)


def train_real(technique, data, **changes):
    return zoo.train(zoo.recipe(REAL, technique, batch_size=4, threads=1, **{"epochs": 1} | changes), data)


def gradients(model, generator):
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator) * 10 ** float(
            torch.randn((), generator=generator)
        )


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


# Novograd


class Questions(TorchDispatchMode):
    """Counts how often the host asks for the value of a tensor: a GPU would be waited for each time."""

    asked = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.asked += operation.overloadpacket is torch.ops.aten._local_scalar_dense
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("amsgrad", [False, True])
def test_foreach_novograd_computes_what_monai_s_does_over_many_steps(amsgrad):
    """Gradients of very different sizes, one tensor without any, one that is all 0 at first."""
    models = [nn.Sequential(network(), network(in_channels=1)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    kinds = [
        kind(m.parameters(), lr=1e-2, amsgrad=amsgrad)
        for kind, m in zip((Novograd, ForeachNovograd), models, strict=True)
    ]
    for step in range(200):
        for model, optimizer in zip(models, kinds, strict=True):
            gradients(model, torch.Generator().manual_seed(step))
            model[0][0].weight.grad = None
            if step < 3:
                model[1][0].weight.grad.zero_()
            optimizer.step()
    unmoved = models[1][0][0].weight

    torch.testing.assert_close(weights(models[1]), weights(models[0]), rtol=1e-5, atol=1e-5)
    assert unmoved not in kinds[1].state
    assert weights(models[1]).isfinite().all()


def test_foreach_novograd_asks_the_device_nothing_where_monai_s_asks_once_per_tensor():
    asked = {}
    for kind in (Novograd, ForeachNovograd):
        model = network()
        optimizer = kind(model.parameters(), amsgrad=True)
        gradients(model, torch.Generator().manual_seed(0))
        with Questions() as questions:
            optimizer.step()
        asked[kind] = questions.asked

    assert asked == {Novograd: 6, ForeachNovograd: 0}


def test_foreach_novograd_leaves_gradients_as_they_are():
    model = network()
    optimizer = ForeachNovograd(model.parameters())
    gradients(model, torch.Generator().manual_seed(0))
    before = [weight.grad.clone() for weight in model.parameters()]
    optimizer.step()

    assert all(torch.equal(weight.grad, was) for weight, was in zip(model.parameters(), before, strict=True))


def test_foreach_novograd_goes_on_from_its_state():
    model = network()
    optimizer = ForeachNovograd(model.parameters(), amsgrad=True)
    for step in range(3):
        gradients(model, torch.Generator().manual_seed(step))
        optimizer.step()
    other = copy.deepcopy(model)
    resumed = ForeachNovograd(other.parameters(), amsgrad=True)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for which, stepping in ((model, optimizer), (other, resumed)):
        gradients(which, torch.Generator().manual_seed(3))
        stepping.step()

    assert torch.equal(weights(other), weights(model))


@pytest.mark.parametrize(
    ("technique", "betas"), [("novograd", (0.9, 0.98)), ("novograd_betas", (0.95, 0.98))]
)
def test_novograd_takes_the_steps_of_its_paper_at_its_betas(technique, betas):
    layer = nn.Linear(2, 1, bias=False)
    wanted = small_recipe(technique)
    optimizer = optimizers.build(wanted, layer, learning_rate=0.1)
    expected, first, second, largest = (
        layer.weight.detach().double().numpy().copy(),
        np.zeros((1, 2)),
        None,
        0.0,
    )
    for gradient in np.array([[[30.0, 40.0]], [[0.6, 0.8]], [[-3.0, 4.0]]]):
        layer.weight.grad = torch.from_numpy(gradient).float()
        optimizer.step()
        norm = (gradient**2).sum()
        second = norm if second is None else betas[1] * second + (1 - betas[1]) * norm
        largest = max(largest, second) if wanted.amsgrad else second
        first = betas[0] * first + gradient / (np.sqrt(largest) + 1e-8)
        expected -= 0.1 * first

    np.testing.assert_allclose(layer.weight.detach().numpy(), expected, rtol=1e-5)


def test_paper_keeps_amsgrad():
    assert zoo.recipe("unet", "paper").amsgrad
    assert not zoo.recipe("unet", "novograd").amsgrad


# Fused, 8 bits, muon


def test_fused_adamw_computes_the_baseline_s_losses(real_data):
    fused, plain = (train_real(technique, real_data, epochs=3) for technique in ("adamw_fused", "baseline"))

    # The two round differently, which grows from step to step: seen up to 1.4e-4 in the third epoch.
    np.testing.assert_allclose(losses(fused), losses(plain), rtol=1e-3)


def test_fused_adamw_is_fused_and_decays_nothing():
    group = optimizers.build(small_recipe("adamw_fused"), network(), 1e-3).param_groups[0]

    assert group["fused"] is True
    assert group["weight_decay"] == 0


def test_the_state_s_bytes_are_those_of_the_optimiser_s_moments(real_data):
    """Adam: two moments of four bytes per weight; Novograd: one, and a number per tensor."""
    trained = {name: train_real(name, real_data) for name in ("baseline", "novograd_foreach", "adam_8bit")}
    held = {name: one.applied["optimizer_state"] for name, one in trained.items()}
    sizes = [weight.numel() for weight in trained["baseline"].model.parameters()]
    large = [size for size in sizes if size >= 4096]

    assert {state["tensors"] for state in held.values()} == {len(sizes)}
    assert held["baseline"]["bytes"] == 8 * sum(sizes) + 4 * len(sizes)  # and a count of steps each
    assert held["novograd_foreach"]["bytes"] == 4 * sum(sizes) + 4 * len(sizes)
    assert held["adam_8bit"]["tensors_in_8_bit"] == len(large) > 0
    scales = sum(2 * 4 * math.ceil(size / 256) for size in large)
    tables = 2 * 4 * 256
    assert held["adam_8bit"]["bytes"] == 2 * sum(large) + 8 * (sum(sizes) - sum(large)) + scales + tables


def test_adam_8bit_that_would_hold_no_8_bit_state_has_failed(data, small_network):
    with pytest.raises(
        zoo.Ineffective, match=r"of 4096 weights or more; the largest of the 6 tensors .* has 36"
    ):
        zoo.train(small_recipe("adam_8bit"), data)


def test_adam_8bit_steps_nearly_as_adam_does():
    model, reference = nn.Linear(64, 64), nn.Linear(64, 64)
    reference.load_state_dict(model.state_dict())
    start = weights(model)
    eight = optimizers.build(small_recipe("adam_8bit"), model, 1e-2)
    adam = torch.optim.Adam(reference.parameters(), lr=1e-2)
    for step in range(10):
        for which, optimizer in ((model, eight), (reference, adam)):
            generator = torch.Generator().manual_seed(step)
            for weight in which.parameters():
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()
    moved, expected = weights(model) - start, weights(reference) - start

    assert F.cosine_similarity(moved, expected, dim=0) > 0.98
    assert not torch.equal(moved, expected)


def test_muon_s_step_on_a_kernel_is_balanced_in_all_directions():
    """Read as a matrix of 8 x 288: the singular values of the step are alike, whatever the gradient's."""
    layer = nn.Conv2d(32, 8, 3, bias=False)
    before = layer.weight.detach().clone()
    optimizer = optimizers.build(small_recipe("muon"), layer, learning_rate=1e-3)
    left, _, right = torch.linalg.svd(
        torch.randn(8, 288, generator=torch.Generator().manual_seed(0)), full_matrices=False
    )
    layer.weight.grad = (left @ torch.diag(torch.logspace(0, -2, 8)) @ right).reshape(8, 32, 3, 3)
    optimizer.step()
    step = (before - layer.weight.detach()).reshape(8, 288)
    values = torch.linalg.svdvals(step) / (1e-3 * 0.2 * math.sqrt(288))  # as long as Adam's, arXiv:2502.16982

    assert 0.5 < values.min() < values.max() < 1.5
    assert F.cosine_similarity(step.flatten(), (left @ right).flatten(), dim=0) > 0.95


@pytest.mark.parametrize(
    ("instructions", "products", "tolerance"), [({"avx512_bf16"}, "bf16", 3e-2), ({"avx2"}, "fp32", 1e-4)]
)
def test_muon_multiplies_in_bf16_where_the_processor_does(monkeypatch, instructions, products, tolerance):
    """By hand, in float64: five steps of the quintic iteration, leloykun.github.io/ponder/muon-opt-coeffs."""
    monkeypatch.setattr("zoo.device.runtime.cpu_instructions", lambda: instructions)
    layer, recipe = nn.Linear(32, 8, bias=False), small_recipe("muon")
    optimizer, before = optimizers.build(recipe, layer, learning_rate=1e-3), layer.weight.detach().clone()
    layer.weight.grad = torch.randn(8, 32, generator=torch.Generator().manual_seed(0))
    balanced = layer.weight.grad.double() / layer.weight.grad.double().norm()
    for a, b, c in (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ):
        product = balanced @ balanced.T
        balanced = a * balanced + (b * product + c * product @ product) @ balanced
    optimizer.step()
    found = (before - layer.weight.detach()).double() / (1e-3 * 0.2 * math.sqrt(32))

    assert optimizers.account(recipe, optimizer)["products"] == products
    assert tolerance / 100 < (found - balanced).norm() / balanced.norm() < tolerance


def test_muon_leaves_to_adam_what_is_no_matrix():
    """Biases, normalisation, a depthwise kernel, the first and the last layer: as torch's Adam moves them."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 1, 1),
    )
    reference = copy.deepcopy(model)
    ours = optimizers.build(small_recipe("muon"), model, 1e-3)
    adam = torch.optim.Adam(reference.parameters(), lr=1e-3)
    for step in range(3):
        for which, optimizer in ((model, ours), (reference, adam)):
            gradients(which, torch.Generator().manual_seed(step))
            optimizer.step()
    unlike = [
        name
        for (name, one), other in zip(model.named_parameters(), reference.parameters(), strict=True)
        if not torch.allclose(one, other, atol=1e-6)
    ]

    assert unlike == ["3.weight"]
    assert optimizers.account(small_recipe("muon"), ours)["tensors_by_muon"] == 1


def test_muon_without_a_matrix_has_failed(data, small_network):
    with pytest.raises(zoo.Ineffective, match="none of the 6 tensors of unet is one"):
        zoo.train(small_recipe("muon"), data)


def test_muon_trains_most_weights_of_a_real_network(real_data):
    state = train_real("muon", real_data).applied["optimizer_state"]

    assert 0 < state["tensors_by_muon"] < state["tensors"]


# Schedule-free


def test_schedule_free_judges_and_keeps_the_average_of_the_weights(data, small_network, monkeypatch):
    """By hand, arXiv:2405.15682: the average x of the z, weighted alike at a constant rate."""
    zs, judged = [], []
    step, judge = Learner.step, Learner.judge

    def watched_step(self, *batch):
        loss = step(self, *batch)
        zs.append(torch.cat([self.optimizer.state[w]["z"].flatten() for w in self.model.parameters()]))
        return loss

    def watched_judge(self, *batch):
        judged.append(weights(self.model))
        return judge(self, *batch)

    monkeypatch.setattr(Learner, "step", watched_step)
    monkeypatch.setattr(Learner, "judge", watched_judge)
    trained = zoo.train(small_recipe("schedule_free", epochs=3), data)
    means = [torch.stack(zs[: 2 * epoch]).mean(0) for epoch in (1, 2, 3)]  # two updates per epoch

    assert len(judged) == 3
    torch.testing.assert_close(torch.stack(judged), torch.stack(means), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights(trained.model), means[trained.best_epoch - 1], rtol=1e-4, atol=1e-6)


def test_schedule_free_trains_a_real_network(real_data):
    trained = train_real("schedule_free", real_data, epochs=4)

    assert trained.epochs[-1].loss < trained.epochs[0].loss


# One cycle


def test_one_cycle_rises_to_ten_times_the_rate_and_falls_to_almost_nothing(data, small_network, monkeypatch):
    """By hand, arXiv:1708.07120 in torch's form: cosines from peak/25 to peak, then to peak/250000."""
    rates, step = [], Learner.step
    monkeypatch.setattr(
        Learner, "step", lambda self, *batch: rates.append(self.learning_rate) or step(self, *batch)
    )
    zoo.train(small_recipe("one_cycle", epochs=10), data)
    peak, top, last = 1e-2, 0.3 * 20 - 1, 19

    def between(start, end, share):
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    rise = [between(peak / 25, peak, step / top) for step in range(6)]
    fall = [between(peak, peak / 25e4, (step - top) / (last - top)) for step in range(6, 20)]
    assert rates == pytest.approx(rise + fall)


def test_one_cycle_counts_updates_and_not_batches(data, small_network):
    rates = [
        epoch.lr for epoch in zoo.train(small_recipe("one_cycle+grad_accumulate", epochs=10), data).epochs
    ]

    assert max(rates) == pytest.approx(1e-2, rel=0.01)
    assert rates[-1] == pytest.approx(1e-2 / 25e4)  # one update per epoch: the last is the end of the cycle


def test_a_rate_that_was_searched_is_the_peak_of_the_cycle(data, small_network):
    trained = zoo.train(small_recipe("one_cycle+lr_find", epochs=10, lr_find_steps=20), data)
    found = trained.applied["lr_find"]["used"]

    assert max(epoch.lr for epoch in trained.epochs) == pytest.approx(found, rel=0.05)


# Accumulation


def mean_of_squares(logits, mask):
    return ((logits - mask) ** 2).mean()


def test_the_update_of_a_group_is_that_of_the_big_batch(monkeypatch):
    """A loss that is a mean over slices, and no batch normalisation: 4 x 2 slices as 8 at once."""
    monkeypatch.setattr("zoo.training.losses.build", lambda recipe: mean_of_squares)
    images, masks = torch.randn(8, 1, 16, 16), (torch.rand(8, 1, 16, 16) > 0.5).float()
    model = nn.Conv2d(1, 1, 3, padding=1)
    reference = copy.deepcopy(model)
    learner = Learner(small_recipe("grad_accumulate"), model, 1e-3, batches=4)
    for part in range(4):
        before = weights(model)
        learner.step(images[2 * part : 2 * part + 2], masks[2 * part : 2 * part + 2])
        assert torch.equal(weights(model), before) == (part < 3)
    mean_of_squares(reference(images), masks).backward()

    for ours, big in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, big.grad, rtol=1e-5, atol=1e-6)


def test_the_last_incomplete_group_of_an_epoch_is_applied_as_its_own_mean(
    tmp_path, small_network, monkeypatch
):
    """Seven batches in groups of four: one of four, one of three."""
    seen, updates = [], []
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: updates.append(len(seen)))
    monkeypatch.setattr(
        Learner, "step", lambda self, *batch, step=Learner.step: seen.append(1) or step(self, *batch)
    )
    trained = zoo.train(small_recipe("grad_accumulate", epochs=2, batch_size=2), slices(tmp_path, train=14))

    assert trained.setup.applied["updates_per_epoch"] == 2
    assert updates == [4, 7, 11, 14]


@pytest.mark.parametrize(("size", "batches"), [(1, 5), (4, 7), (4, 8), (4, 3), (5, 1)])
def test_the_shares_of_a_group_add_up_to_one(size, batches):
    groups = Groups(size, batches)
    places = [groups.next() for _ in range(2 * batches)]  # two passes
    ends = [index for index, place in enumerate(places, 1) if place.last]

    assert len(ends) == 2 * groups.per_pass == 2 * math.ceil(batches / size)
    for start, end in pairwise([0, *ends]):
        group = places[start:end]
        assert [place.first for place in group] == [True] + [False] * (len(group) - 1)
        assert sum(1 / place.size for place in group) == pytest.approx(1)


# Averages


def recorded_weights(monkeypatch):
    """Collect the weights of what is trained after each update, and of what is judged after each epoch."""
    after_update, judged = [], []
    step, judge = Learner.step, Learner.judge

    def watched_step(self, *batch):
        loss = step(self, *batch)
        after_update.append(weights(self.model))
        return loss

    def watched_judge(self, *batch):
        judged.append(weights(self.judged))
        return judge(self, *batch)

    monkeypatch.setattr(Learner, "step", watched_step)
    monkeypatch.setattr(Learner, "judge", watched_judge)
    return after_update, judged


def test_the_moving_average_is_that_of_the_weights_after_each_update(data, small_network, monkeypatch):
    after_update, judged = recorded_weights(monkeypatch)
    trained = zoo.train(small_recipe("ema", epochs=5, ema_decay=0.4), data)
    average, expected = after_update[0].clone(), []
    for number, current in enumerate(after_update[1:], 1):
        decay = min(0.4, (1 + number) / (10 + number))
        average = decay * average + (1 - decay) * current
        if number % 2:  # two updates per epoch
            expected.append(average)

    assert len(judged) == 5
    torch.testing.assert_close(torch.stack(judged), torch.stack(expected))
    torch.testing.assert_close(weights(trained.model), expected[trained.best_epoch - 1])
    assert trained.applied["average"] == {"of": "updates", "number": 10, "decay": 0.4}


def test_the_moving_average_takes_batch_normalisation_s_statistics_along():
    model = network()
    average = averaging.Moving(small_recipe("ema", ema_decay=0.1), model)
    for mean in (1.0, 3.0):
        model[1].running_mean.fill_(mean)
        model[1].num_batches_tracked.add_(1)
        average.after_update()

    torch.testing.assert_close(average.network[1].running_mean, torch.full((4,), 0.1 * 1 + 0.9 * 3))
    assert average.network[1].num_batches_tracked == 2


def test_a_moving_average_changes_nothing_of_the_training(data, small_network):
    trained, plain = (zoo.train(small_recipe(technique, epochs=5), data) for technique in ("ema", "baseline"))

    assert [epoch.loss for epoch in trained.epochs] == [epoch.loss for epoch in plain.epochs]
    assert [epoch.val_loss for epoch in trained.epochs] != [epoch.val_loss for epoch in plain.epochs]


def test_swa_judges_the_mean_of_the_last_quarter_s_epochs(data, small_network, monkeypatch):
    after_update, judged = recorded_weights(monkeypatch)
    trained = zoo.train(small_recipe("swa", epochs=8), data)
    ends = after_update[1::2]  # two updates per epoch

    assert [torch.equal(seen, end) for seen, end in zip(judged, ends, strict=True)] == [True] * 7 + [False]
    torch.testing.assert_close(judged[7], (ends[6] + ends[7]) / 2)
    assert trained.applied["average"] == {"of": "epochs", "number": 2, "first": 7}


def test_swa_keeps_an_average_even_where_plain_weights_were_better(data, small_network, monkeypatch):
    judged = []

    def validate(learner, feed, epoch):
        learner.begin_validation(feed)
        judged.append(weights(learner.judged))
        return {2: 0.1, 7: 0.4, 8: 0.5}.get(epoch, 0.9), 0.5, 0.5

    monkeypatch.setattr("zoo.training.loop._validate", validate)
    trained = zoo.train(small_recipe("swa", epochs=8), data)

    assert trained.best_epoch == 7
    assert torch.equal(weights(trained.model), judged[6])


def with_dropout(*_):
    return nn.Sequential(nn.Dropout(0.1), network())


DRAWING = pytest.mark.parametrize(
    "others",
    [
        *["", "+augment", "+cache+augment", "+device_cache+augment", "+persistent_workers"],
        pytest.param("+workers_2+augment", marks=pytest.mark.slow),
    ],
)


@DRAWING
def test_swa_trains_as_the_baseline_in_every_epoch(data, monkeypatch, others):
    """Whatever draws at random: the order, the augmentation, dropout."""
    monkeypatch.setattr("zoo.model.build.create_network", with_dropout)
    trained, plain = (
        zoo.train(small_recipe(technique, epochs=5, swa_from=0.4), data)
        for technique in ("swa" + others, (others or "+baseline")[1:])
    )

    assert [epoch.loss for epoch in trained.epochs] == [epoch.loss for epoch in plain.epochs]
    assert losses(trained)[:2] == losses(plain)[:2]
    assert [epoch.val_loss for epoch in trained.epochs[3:]] != [epoch.val_loss for epoch in plain.epochs[3:]]


@DRAWING
@pytest.mark.slow
def test_new_statistics_change_nothing_of_the_training_of_schedule_free(data, monkeypatch, others):
    """The same training without them is judged otherwise, and learns the same."""
    monkeypatch.setattr("zoo.model.build.create_network", with_dropout)
    wanted = small_recipe("schedule_free" + others, epochs=3)
    trained = zoo.train(wanted, data)
    monkeypatch.setattr(averaging, "refresh", lambda *_: None)
    stale = zoo.train(wanted, data)

    assert [epoch.loss for epoch in trained.epochs] == [epoch.loss for epoch in stale.epochs]
    assert [epoch.val_loss for epoch in trained.epochs] != [epoch.val_loss for epoch in stale.epochs]


@pytest.mark.parametrize("others", ["+cache+augment", "+device_cache+augment", "+persistent_workers"])
def test_a_pass_aside_is_drawn_anew_each_time_and_ends_with_the_feed(data, others):
    before, first = len(multiprocessing.active_children()), []
    with feed.opened(small_recipe("swa" + others, batch_size=8), data, seed=0) as opened:
        for _ in range(2):
            with opened.aside() as batches:
                first.append(next(batches)[0].clone())

    assert not torch.equal(*first)
    assert len(multiprocessing.active_children()) == before


@pytest.mark.parametrize(("technique", "epochs"), [("swa", 4), ("schedule_free", 1)])
def test_what_is_averaged_is_judged_with_statistics_of_its_own(data, small_network, technique, epochs):
    """After the first convolution, taken over all training slices, which here are one batch."""
    trained = zoo.train(small_recipe(technique, epochs=epochs, batch_size=8), data)
    images = torch.from_numpy(data.train.images)
    with torch.no_grad():
        features = trained.model[0](images)

    torch.testing.assert_close(trained.model[1].running_mean, features.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(trained.model[1].running_var, features.var((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert trained.model[1].num_batches_tracked == 1
    assert trained.model[1].momentum == 0.1


# All of them


OURS = (
    "adamw_fused", "adam_8bit", "novograd_amsgrad", "novograd_foreach", "schedule_free", "muon", "one_cycle",
    "grad_accumulate", "ema", "swa",
)  # fmt: skip


@pytest.fixture
def wide_network(monkeypatch):
    """Train a network of three layers: one is large enough for states of 8 bits, and a matrix for Muon."""

    def wide(name="", in_channels=1, classes=1):
        layers = [nn.Conv2d(in_channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        layers += [nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        return nn.Sequential(*layers, nn.Conv2d(32, classes, 1))

    monkeypatch.setattr("zoo.model.build.create_network", wide)


@pytest.mark.parametrize("technique", OURS)
def test_a_technique_warms_up_and_the_same_seed_gives_the_same_losses(data, wide_network, technique):
    wanted = small_recipe(technique, epochs=2)

    assert zoo.warm_up(wanted, data) > 0
    assert losses(zoo.train(wanted, data)) == losses(zoo.train(wanted, data))


@pytest.mark.parametrize("technique", ["adam_8bit", "novograd_foreach", "schedule_free", "muon"])
def test_a_search_with_the_optimiser_leaves_the_weights_bit_for_bit(data, wide_network, technique):
    """The training after it is that of its rate."""
    searched = zoo.train(small_recipe(f"lr_find+{technique}", epochs=1, lr_find_steps=10), data)
    rate = searched.applied["lr_find"]["used"]
    plain = zoo.train(small_recipe(technique, epochs=1, learning_rate=rate), data)

    assert losses(searched) == losses(plain)


@pytest.mark.parametrize(
    ("technique", "package"), [("adam_8bit", "bitsandbytes"), ("schedule_free", "schedulefree")]
)
def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch, technique, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else object())

    assert zoo.unavailable(small_recipe(technique)) == (
        f"{technique} needs {package}: pip install 'joulebench[techniques]'"
    )


# What is refused, and what is said to have no effect


@pytest.mark.parametrize(
    ("together", "reason"),
    [
        ("schedule_free+plateau", "averages the weights itself"),
        ("schedule_free+one_cycle", "averages the weights itself"),
        ("schedule_free+ema", "averages the weights itself"),
        ("schedule_free+swa", "averages the weights itself"),
        ("one_cycle+plateau", "both set the learning rate"),
        ("one_cycle+early_stop", "need to know the last epoch beforehand"),
        ("swa+early_stop", "need to know the last epoch beforehand"),
        ("swa+one_cycle", "the weights hardly move"),
        ("ema+swa", "ema sets average to 'ema', swa to 'swa'; choose one"),
        ("adam_8bit+muon", "contradict each other"),
        ("adam_8bit+channels_last", "back into the usual order of memory"),
        ("one_cycle+prune", "a cycle would begin again"),
        ("ema+prune", "weights from before and after a cut have no mean"),
        ("swa+prune_unstructured", "weights from before and after a cut have no mean"),
        ("novograd_amsgrad+novograd", "'novograd' adds nothing"),
    ],
)
def test_what_makes_no_sense_together_is_refused_with_the_reason(together, reason):
    with pytest.raises(ValueError, match=reason):
        zoo.recipe("unet", together)


@pytest.mark.parametrize("optimizer", ["adam_8bit", "schedule_free", "muon"])
def test_an_optimiser_without_amsgrad_refuses_it(optimizer):
    with pytest.raises(ValueError, match=f"amsgrad is True with optimizer '{optimizer}'"):
        zoo.recipe("unet", optimizer=optimizer, amsgrad=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("accumulate", 0), ("one_cycle_peak", 0.0), ("average", "mean"), ("ema_decay", 1.0), ("swa_from", 1.0)],
)
def test_a_bad_value_is_refused_with_what_was_expected(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is {value!r}; expected "):
        zoo.recipe("unet", **{field: value})


@pytest.mark.parametrize(
    ("technique", "changes", "said"),
    [
        ("grad_accumulate", {"batch_size": 8}, ["grad_accumulate: groups of 4 batches, 1 batch per epoch"]),
        ("grad_accumulate", {"batch_size": 4}, []),
        ("ema", {"batch_size": 8, "epochs": 1}, ["ema: 1 update"]),
        ("ema", {"batch_size": 8, "epochs": 2}, []),
        ("swa", {"epochs": 4}, ["swa: averages 1 of 4 epochs"]),
        ("swa", {"epochs": 5}, []),
    ],
)
def test_a_budget_that_leaves_no_room_is_said_to_leave_the_technique_without_effect(
    data, small_network, technique, changes, said
):
    steps = zoo.epochs(small_recipe(technique, **changes), data)

    assert next(steps).applied["without_effect"] == said
    steps.close()
