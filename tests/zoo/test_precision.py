"""Formats, layouts and kernels: that they are what their names say, and change nothing that they should not.

No test here has a GPU: of what needs one, the refusal is tested, and the logic with a stand-in.
"""

import copy
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from tests.simulated.tiny_slices import losses, network, slices, small_recipe
from zoo import availability
from zoo.device import runtime
from zoo.model import compiling
from zoo.model.build import (
    account_checkpointing,
    account_fp8,
    build,
    checkpoint_stages,
    convert_to_fp8,
    find_stages,
)
from zoo.size import kept_bytes
from zoo.training import optimizers
from zoo.training.learner import Learner
from zoo.training.updates import Scaling

pytestmark = pytest.mark.usefixtures("small_network")

CUDA = torch.device("cuda:0")


@pytest.fixture
def anything_goes(monkeypatch):
    """Let a CPU train what it is refused, to see what would be done."""
    monkeypatch.setattr("zoo.training.setup.unavailable", lambda recipe: None)


def gpu(monkeypatch, *capability: int) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)


def staged(name: str = "") -> nn.Module:
    """Build a network of two stages, with what a second pass could change: statistics and dropout."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3)),
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4, momentum=None), nn.ReLU()),
        *(nn.Conv2d(4, 4, 1) for _ in range(12)),
        nn.Conv2d(4, 1, 1),
    )


# Half precision


def test_bf16_weights_halve_weights_gradients_and_optimiser_state(data):
    wanted = small_recipe("bf16_weights")
    learner = Learner(wanted, build(wanted), 1e-3, batches=2)
    learner.model.train()
    learner.step(torch.from_numpy(data.train.images[:4]), torch.from_numpy(data.train.masks[:4]))
    weights = list(learner.model.parameters())
    states = [learner.optimizer.state[weight] for weight in weights]
    moments = [state[name] for state in states for name in ("exp_avg", "exp_avg_sq")]

    assert {tensor.dtype for tensor in (*weights, *moments)} == {torch.bfloat16}
    assert {weight.grad.dtype for weight in weights} == {torch.bfloat16}
    assert sum(tensor.nbytes for tensor in moments) == 2 * 2 * sum(weight.numel() for weight in weights)


def test_bf16_weights_train_near_the_baseline_and_are_returned(data, native_bf16):
    wanted = small_recipe("bf16_weights", loading="device", epochs=40, learning_rate=0.03)
    trained = zoo.train(wanted, data)

    assert trained.applied["layers_by_format"] == {"bfloat16": 4}
    assert {weight.dtype for weight in trained.model.parameters()} == {torch.bfloat16}
    assert zoo.evaluate(trained.model, data.test, wanted).dice > 0.85


def test_fp16_autocast_computes_in_float16_and_keeps_weights_in_fp32(data, anything_goes):
    plain, trained = zoo.train(small_recipe(), data), zoo.train(small_recipe("fp16_amp"), data)

    assert trained.applied["layers_by_format"]["float16"] >= 2  # both convolutions
    assert trained.applied["loss_scaling"] == {"taken": 6, "skipped": 0, "scale": 65536.0}
    assert {weight.dtype for weight in trained.model.parameters()} == {torch.float32}
    assert losses(trained) != losses(plain)
    assert [epoch.loss for epoch in trained.epochs] == pytest.approx(
        [epoch.loss for epoch in plain.epochs], rel=5e-3
    )


def scaled(gradient: float) -> tuple[Scaling, torch.optim.Optimizer, nn.Parameter]:
    weight = nn.Parameter(torch.tensor([1.0]))
    scaling = Scaling(SimpleNamespace(device="cpu", precision="fp16", technique="fp16_amp"))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaling.backward((weight * gradient).sum())
    scaling.step(optimizer)
    return scaling, optimizer, weight


def test_a_scaled_loss_makes_the_step_of_the_loss_as_it_is():
    scaling, _, weight = scaled(0.25)

    assert weight.item() == 0.75
    assert scaling.account() == {"loss_scaling": {"taken": 1, "skipped": 0, "scale": 65536.0}}


def test_a_step_whose_gradient_overflows_is_left_out_and_the_scale_halved():
    scaling, optimizer, weight = scaled(1e38)  # times 65536 it is infinite
    left_out = weight.item()
    optimizer.zero_grad()
    scaling.backward((weight * 0.25).sum())
    scaling.step(optimizer)

    assert (left_out, weight.item()) == (1.0, 0.75)
    assert scaling.account() == {"loss_scaling": {"taken": 1, "skipped": 1, "scale": 32768.0}}


def test_a_training_of_which_every_step_overflows_has_failed():
    with pytest.raises(zoo.Ineffective, match=r"gradients of all 1 steps overflowed in fp16.* use bf16"):
        scaled(1e38)[0].account()


AS_IT_IS_AND_FUSED = pytest.mark.parametrize("optimizer", ["adam", "adamw_fused"])


@AS_IT_IS_AND_FUSED
@pytest.mark.parametrize("overflows", [0, 2, 5])
def test_steps_are_counted_by_whether_the_weights_moved_whatever_the_optimiser(optimizer, overflows):
    """A fused optimiser is called even for a step that it then leaves out."""
    weight, moved = nn.Parameter(torch.tensor([1.0])), 0
    wanted = small_recipe("fp16_amp", optimizer=optimizer)
    scaling, made = Scaling(wanted), optimizers.build(wanted, nn.ParameterList([weight]), 1e-3)
    for step in range(5):
        before = weight.item()
        made.zero_grad()
        scaling.backward((weight * (math.inf if step < overflows else 0.25)).sum())
        scaling.step(made)
        moved += weight.item() != before

    assert moved == 5 - overflows
    if moved:
        told = scaling.account()["loss_scaling"]
        assert (told["taken"], told["skipped"]) == (moved, overflows)
        assert told["scale"] == 2.0 ** (16 - overflows)
    else:
        with pytest.raises(zoo.Ineffective, match="gradients of all 5 steps overflowed"):
            scaling.account()


class Questions(TorchDispatchMode):
    """Counts how often the host asks for the value of a tensor: a GPU would be waited for each time."""

    asked = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.asked += operation.overloadpacket is torch.ops.aten._local_scalar_dense
        return operation(*args, **(kwargs or {}))


@AS_IT_IS_AND_FUSED
def test_counting_the_steps_asks_the_device_no_more_than_torch_s_scaler_does(optimizer):
    asked = []
    wanted = small_recipe("fp16_amp", optimizer=optimizer)
    for counted in (True, False):
        weight = nn.Parameter(torch.tensor([1.0]))
        made, scaling = optimizers.build(wanted, nn.ParameterList([weight]), 1e-3), Scaling(wanted)
        scaling.backward((weight * 0.25).sum())
        with Questions() as questions:
            if counted:
                scaling.step(made)
            else:
                scaling._scaler.step(made)
                scaling._scaler.update()
        asked.append(questions.asked)

    assert asked[0] == asked[1]


def test_without_fp16_autocast_the_scaling_is_no_part_of_a_step():
    scaling = Scaling(small_recipe())
    weight = nn.Parameter(torch.tensor([1.0]))
    scaling.backward((weight * 1e38).sum())

    assert weight.grad.item() == pytest.approx(1e38)
    assert scaling.account() == {}


@pytest.mark.parametrize("optimizer", ["adam", "adamw_fused"])
def test_adam_s_epsilon_is_one_that_float16_can_hold(optimizer):
    """A weight whose gradient is 0 is divided by the epsilon alone: 0 / 0 where that is 0 in float16."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float16))
    made = optimizers.build(
        small_recipe(weights="fp16", optimizer=optimizer), nn.ParameterList([weight]), 1e-3
    )

    assert torch.tensor(1e-8, dtype=torch.float16) == 0
    assert torch.tensor(made.param_groups[0]["eps"], dtype=torch.float16) > 0


def test_half_weights_train_in_float16_and_stay_finite(data, anything_goes):
    trained = zoo.train(small_recipe("half_weights"), data)

    assert trained.applied["layers_by_format"] == {"float16": 4}
    assert {weight.dtype for weight in trained.model.parameters()} == {torch.float16}
    assert all(weight.isfinite().all() for weight in trained.model.state_dict().values())


@pytest.mark.parametrize(
    ("technique", "others"), [("amp_8bit", "fp16_amp"), ("half_weights_8bit", "half_weights")]
)
def test_a_setting_of_two_parts_is_both_of_them(technique, others):
    made, expected = zoo.recipe("unet", technique), zoo.recipe("unet", f"{others}+adam_8bit")

    assert made == replace(expected, technique=technique)
    assert made.optimizer == "adam_8bit"


# What a machine cannot do


@pytest.mark.parametrize(
    ("technique", "reason"),
    [
        ("fp16_amp", r"fp16 on cpu: fp16 on a CPU is 6 to 12 times slower .* use bf16"),
        ("amp_8bit", r"fp16 on cpu: .* use bf16"),
        ("half_weights", r"fp16 on cpu: .* use bf16"),
        ("half_weights_8bit", r"fp16 on cpu: .* use bf16"),
        ("tf32", r"tf32 on cpu: TF32 is a format of CUDA GPUs' matrix units"),
        ("fp32_ieee", r"ieee on cpu: a CPU always computes fp32 to the full"),
        ("cuda_graph", r"cuda_graph on cpu: a CUDA graph replays what a CPU starts on a GPU"),
        ("fp8", r"on cpu: 8-bit floating point needs a CUDA GPU of compute capability 8\.9"),
    ],
)
def test_a_cpu_is_refused_what_needs_a_gpu_with_the_reason(data, technique, reason):
    with pytest.raises(ValueError, match=reason):
        zoo.train(small_recipe(technique), data)


def test_weights_in_bf16_are_refused_where_the_hardware_has_none(monkeypatch):
    monkeypatch.setattr(runtime, "cpu_instructions", lambda: {"avx2"})

    assert "computes no bfloat16" in zoo.unavailable(small_recipe("bf16_weights"))
    assert zoo.unavailable(small_recipe()) is None


def test_compiling_for_a_cpu_asks_for_a_compiler(monkeypatch):
    monkeypatch.setattr(availability.shutil, "which", lambda name: None)

    assert "needs a C++ compiler: install g++" in zoo.unavailable(small_recipe("compile"))


@pytest.mark.parametrize(
    ("technique", "capability", "architecture", "reason"),
    [
        ("tf32", (7, 5), "unet", "this GPU has no TF32"),
        ("tf32", (8, 0), "unet", "the baseline has it, and unet has no Linear layer"),
        ("tf32", (8, 0), "smp_segformer_mit_b0", None),
        ("fp32_ieee", (7, 5), "unet", None),
        ("fp8", (8, 0), "smp_segformer_mit_b0", "this GPU has no 8-bit matrix unit"),
        ("fp8", (9, 0), "unet", "unet has none whose sides are multiples of 16"),
        ("fp8", (9, 0), "smp_segformer_mit_b0", None),
        ("fp16_amp", (7, 0), "unet", None),
    ],
)
def test_a_gpu_is_asked_what_it_can_and_a_network_what_it_has(
    monkeypatch, technique, capability, architecture, reason
):
    gpu(monkeypatch, *capability)
    said = availability.find_missing_format(zoo.recipe(architecture, technique, device="cuda:0"), CUDA)

    assert said is None if reason is None else reason in said


@pytest.mark.parametrize("name", ["tf32", "ieee"])
def test_the_arithmetic_of_fp32_is_set_for_a_training_and_set_back_after_a_crash(name):
    kinds = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [kind.fp32_precision for kind in kinds]
    inside = []

    def crash():
        with runtime.settings(replace(small_recipe(), fp32_math=name)):
            inside.extend(kind.fp32_precision for kind in kinds)
            raise KeyError

    with pytest.raises(KeyError):
        crash()

    assert inside == [name, name]
    assert [kind.fp32_precision for kind in kinds] == before
    assert len({name, *before}) > 1


@pytest.mark.parametrize(
    ("together", "reason"),
    [
        ("bf16+bf16_weights", "leave autocast nothing to cast"),
        ("fp16_amp+half_weights", "leave autocast nothing to cast"),
        ("fp16_amp+bf16", "contradict each other"),
        ("half_weights+novograd", "leave the range of float16"),
        ("fp16_amp+lr_find", "the search knows no scaled loss"),
        ("compile+cuda_graph", "cannot be recorded"),
        ("compile+activation_checkpointing", "the compiler decides itself"),
        ("compile+ema", "average 'ema'.* judged in an uncompiled copy"),
        ("compile+swa", "average 'swa'.* judged in an uncompiled copy"),
        ("compile+schedule_free", "optimizer 'schedule_free'; .* which break the graph"),
        ("cuda_graph+activation_checkpointing", "asks for random states"),
        ("cuda_graph+novograd", "use novograd_foreach"),
        ("cuda_graph+grad_accumulate", "over those of the batch before"),
        ("cuda_graph+progressive_resize", "a graph holds slices of one size"),
    ],
)
def test_what_makes_no_sense_together_is_refused_with_the_reason(together, reason):
    with pytest.raises(ValueError, match=reason):
        zoo.recipe("unet", together)


# Layout


def test_every_layer_of_a_real_network_stays_channels_last_and_the_losses_are_the_baseline_s(
    tmp_path, monkeypatch
):
    monkeypatch.undo()
    data, plain = (
        slices(tmp_path, size=32),
        zoo.recipe("attention_squeeze_unet", epochs=1, batch_size=4, threads=1),
    )
    expected, trained = zoo.train(plain, data), zoo.train(replace(plain, channels_last=True), data)

    assert trained.applied["layers_nhwc"] == trained.applied["layers_with_layout"] > 100
    assert trained.epochs[0].loss == pytest.approx(expected.epochs[0].loss, rel=1e-3)
    assert trained.epochs[0].val_loss == pytest.approx(expected.epochs[0].val_loss, rel=1e-3)
    kernel = next(weight for weight in trained.model.parameters() if weight.ndim == 4 and weight.shape[1] > 1)
    assert kernel.stride(1) == 1


def test_a_network_that_undoes_the_layout_has_not_had_the_technique(data, monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", lambda name: nn.Conv2d(1, 1, 1))

    with pytest.raises(zoo.Ineffective, match=r"none of 0 layers of unet handed on channels last"):
        zoo.train(small_recipe("channels_last"), data)


# Compilation


@pytest.mark.slow
def test_compiled_passes_have_the_baseline_s_losses_and_names(data):
    """Torch's own compiler, not a stand-in."""
    expected, trained = zoo.train(small_recipe(), data), zoo.train(small_recipe("compile"), data)

    assert [epoch.loss for epoch in trained.epochs] == pytest.approx(
        [epoch.loss for epoch in expected.epochs], rel=1e-4
    )
    assert trained.model.state_dict().keys() == expected.model.state_dict().keys()
    assert trained.applied["compile"]["graphs_in_training"] == 0
    assert trained.applied["compile"]["seconds"] < trained.setup.seconds
    assert zoo.evaluate(trained.model, data.test, small_recipe("compile")).dice == pytest.approx(
        zoo.evaluate(expected.model, data.test, small_recipe()).dice, abs=0.01
    )


def test_all_passes_of_a_training_are_compiled_before_it_and_anew_for_each_seed(data, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    for seed in (0, 1):
        told = zoo.train(small_recipe("compile", batch_size=3), data, seed).applied["compile"]

        assert told["passes"] == ["train 3", "train 2", "val 3", "val 1"]
        assert 2 <= told["graphs"] <= 4  # a graph may serve several sizes
        assert (told["breaks"], told["graphs_in_training"]) == (0, 0)


@pytest.mark.slow
def test_growing_slices_are_compiled_at_every_size_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    size = 40  # which is padded to 48, as its three quarters, 30, are to 32
    data = slices(tmp_path, size=size)
    wanted = small_recipe("progressive_resize+compile", batch_size=3, epochs=6)
    trained = zoo.train(wanted, data)
    told, sides = trained.applied["compile"], (size // 2, 3 * size // 4, size)

    assert told["passes"] == [
        *(f"train {n} at {side} px" for side in sides for n in (3, 2)),
        "val 3",
        "val 1",
    ]
    assert (told["breaks"], told["graphs_in_training"]) == (0, 0)
    assert losses(trained) == losses(zoo.train(replace(wanted, compile=False), data))


def test_a_teacher_makes_no_graph_and_the_student_s_are_all_made_before_its_training(data, monkeypatch):
    graphs = []
    count = compiling.Compiled._count
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    monkeypatch.setattr(
        compiling.Compiled, "_count", lambda self, *made: graphs.append(self) or count(self, *made)
    )
    wanted = replace(small_recipe("distill+compile"), architecture="squeeze_unet")
    trained = zoo.train(wanted, data)

    assert len(graphs) == trained.applied["compile"]["graphs"]
    assert trained.applied["compile"]["graphs_in_training"] == 0


def test_compiling_learns_nothing(data, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "eager")  # the same kernels: equal to the last digit

    assert losses(zoo.train(small_recipe("compile"), data)) == losses(zoo.train(small_recipe(), data))


def test_a_break_in_a_graph_is_counted(data, monkeypatch):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, image):
            logits = self.network(image)
            torch._dynamo.graph_break()
            return torch.relu(logits) + 1

    monkeypatch.setattr(compiling, "BACKEND", "eager")
    monkeypatch.setattr("zoo.model.build.create_network", lambda name: Broken())
    told = zoo.train(small_recipe("compile", epochs=1), data).applied["compile"]

    assert (told["breaks"], told["graphs"]) == (2, 4)  # in training, and in validation


def test_a_compilation_that_is_switched_off_has_not_had_the_technique(data):
    with torch.compiler.set_stance("force_eager"), pytest.raises(zoo.Ineffective, match="made no graph"):
        zoo.train(small_recipe("compile"), data)


# CUDA graphs, with a stand-in for the recording


@pytest.fixture
def recordings(monkeypatch, anything_goes):
    """Let a recording run the network three times, as torch's does, a replay once; collect the batches."""
    seen = SimpleNamespace(recorded=[], replayed=[])

    def record(module, arguments, allow_unused_input):
        for _ in range(3):
            module(*arguments)
        seen.recorded.append(arguments[0])

        def replay(image):
            seen.replayed.append(tuple(image.shape))
            return module(image)

        return replay

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    return seen


def test_full_training_batches_alone_are_replayed_and_the_losses_are_the_baseline_s(data, recordings):
    expected = zoo.train(small_recipe(batch_size=3), data)
    trained = zoo.train(small_recipe("cuda_graph", batch_size=3), data)

    assert losses(trained) == losses(expected)  # recording has moved neither weights nor statistics
    assert [tuple(batch.shape) for batch in recordings.recorded] == [(3, 1, 16, 16)]
    assert recordings.replayed == [(3, 1, 16, 16)] * 2 * 3
    assert trained.applied["cuda_graph"] == {"shape": [3, 1, 16, 16], "replayed": 6, "eager": 3}
    assert trained.model.state_dict().keys() == expected.model.state_dict().keys()


def test_a_graph_that_no_batch_fits_has_not_had_the_technique(data, recordings):
    with pytest.raises(zoo.Ineffective, match=r"none of 3 training batches had that shape"):
        zoo.train(small_recipe("cuda_graph", batch_size=16), data)


def test_a_recording_sees_batches_as_the_network_does(data, recordings):
    zoo.train(small_recipe("cuda_graph+bf16_weights", epochs=1), data)

    assert recordings.recorded[0].dtype == torch.bfloat16


# Activation checkpointing


def gradients(model: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    torch.manual_seed(0)
    model.train()(image).square().mean().backward()
    return [weight.grad for weight in model.parameters()]


@pytest.mark.parametrize("build_network", [staged, lambda: zoo.create("attention_squeeze_unet")])
def test_checkpointing_changes_no_gradient_and_no_statistic(build_network):
    plain = build_network()
    saving, image = checkpoint_stages(copy.deepcopy(plain)), torch.randn(2, 1, 32, 32)
    expected, found = gradients(plain, image), gradients(saving, image)

    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert plain.state_dict().keys() == saving.state_dict().keys()
    for name, value in plain.state_dict().items():  # torch alone would count each batch twice
        assert torch.equal(saving.state_dict()[name], value), name


def test_checkpointing_keeps_fewer_bytes_and_says_how_many():
    plain = zoo.create("attention_squeeze_unet")
    saving = checkpoint_stages(copy.deepcopy(plain))
    told = account_checkpointing(zoo.recipe("attention_squeeze_unet"), saving, 32)
    kept = {}
    for name, model in (("plain", plain), ("kept", saving)):
        few, many = (kept_bytes(model, torch.zeros(slices, 1, 32, 32)) for slices in (2, 3))
        kept[name] = many - few

    assert told["stages"] == len(find_stages(plain)) > 5
    assert told["kept_bytes_per_slice"] == kept["kept"] < 0.7 * kept["plain"]
    assert told["plain_bytes_per_slice"] == kept["plain"]


def test_a_checkpointed_training_has_the_baseline_s_losses(data, monkeypatch):
    monkeypatch.setattr("zoo.model.build.create_network", staged)

    assert losses(zoo.train(small_recipe("activation_checkpointing"), data)) == losses(
        zoo.train(small_recipe(), data)
    )


def test_stages_are_computed_twice_in_training_and_once_in_validation():
    model, runs = checkpoint_stages(staged()), []
    model[1][0].register_forward_hook(lambda *_: runs.append(model.training))
    image = torch.randn(2, 1, 8, 8)
    model.train()(image).sum().backward()
    with torch.no_grad():
        model.eval()(image)

    assert runs == [True, True, False]


def test_a_copy_of_a_checkpointed_network_runs_on_its_own_weights():
    """As for an average of weights."""
    model = checkpoint_stages(staged())
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()

    assert other.eval()(torch.randn(1, 1, 8, 8)).abs().max() == 0
    assert model.eval()(torch.randn(1, 1, 8, 8)).abs().max() > 0


def test_a_network_without_stages_has_not_had_the_technique(data):
    with pytest.raises(zoo.Ineffective, match=r"unet has no stage that could be computed again"):
        zoo.train(small_recipe("activation_checkpointing"), data)


# 8-bit floating point


def rounded_to_8_bits(tensor: torch.Tensor) -> torch.Tensor:
    scale = 448 / tensor.abs().max()  # 448 is the largest number of the format
    return (tensor * scale).to(torch.float8_e4m3fn).float() / scale


def test_fp8_rounds_both_factors_of_a_linear_layer_and_leaves_convolutions(monkeypatch):
    pytest.importorskip("torchao")
    monkeypatch.setattr("zoo.model.build.EMULATE_FP8", True)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 16), nn.Linear(16, 7), nn.Conv2d(1, 1, 1))
    weight, bias, image = (
        model[0].weight.detach().clone(),
        model[0].bias.detach().clone(),
        torch.randn(16, 32),
    )
    model = convert_to_fp8(model)
    expected = rounded_to_8_bits(image) @ rounded_to_8_bits(weight).T + bias

    assert account_fp8(model) == {"layers_fp8": 1, "layers_with_weights": 3}
    torch.testing.assert_close(model[0](image), expected, rtol=1e-4, atol=1e-5)
    assert (expected - (image @ weight.T + bias)).abs().max() > 1e-3
    model[0](image).sum().backward()
    assert model[0].weight.grad.dtype == torch.float32


# What holds for all of them


@pytest.mark.parametrize(
    "technique", ["bf16_weights", "channels_last", "compile", "activation_checkpointing"]
)
@pytest.mark.slow
def test_a_technique_warms_up_repeats_and_speaks_json(data, technique, native_bf16, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    monkeypatch.setattr("zoo.model.build.create_network", staged)
    wanted = small_recipe(technique, epochs=2)
    trained = zoo.train(wanted, data, seed=3)

    assert zoo.warm_up(wanted, data) > 0
    assert losses(zoo.train(wanted, data, seed=3)) == losses(trained)
    assert json.loads(json.dumps(trained.applied)) == trained.applied
