"""Which choices of a Recipe exclude each other, and why."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.recipes.recipe import Recipe


def refuse(recipe: "Recipe") -> None:
    """Refuse a recipe whose choices make no sense together.

    Raises:
        ValueError: with what was given, and the reason.
    """
    for makes_no_sense, reason in _REFUSED:
        if makes_no_sense(recipe):
            raise ValueError(reason(recipe))


def _needs_workers(name: str) -> tuple[Callable[["Recipe"], bool], Callable[["Recipe"], str]]:
    return (
        lambda r: bool(getattr(r, name)) and not r.workers,
        lambda r: f"{name} is {getattr(r, name)!r} with workers 0; it needs 1 worker or more.",
    )


_OF_ADAM_ALONE = ("adam_8bit", "schedule_free", "muon")  # optimisers of one kind, without AMSGrad

_LEARNING = (
    (
        lambda r: r.amsgrad and r.optimizer in _OF_ADAM_ALONE,
        lambda r: f"amsgrad is True with optimizer {r.optimizer!r}, which has no such variant.",
    ),
    (
        lambda r: (
            r.optimizer == "schedule_free"
            and (r.plateau_patience is not None or r.one_cycle_peak is not None or r.average != "none")
        ),
        lambda r: (
            f"optimizer is 'schedule_free' with plateau_patience {r.plateau_patience}, one_cycle_peak "
            f"{r.one_cycle_peak} and average {r.average!r}; it averages the weights itself, in place of any "
            f"schedule: leave out plateau, one_cycle, ema and swa."
        ),
    ),
    (
        lambda r: r.one_cycle_peak is not None and r.plateau_patience is not None,
        lambda r: (
            f"one_cycle_peak is {r.one_cycle_peak:g} with plateau_patience {r.plateau_patience}; both set "
            f"the learning rate: choose one."
        ),
    ),
    (
        lambda r: r.early_stop_patience is not None and r.fixed_length,
        lambda r: (
            f"early_stop_patience is {r.early_stop_patience} with one_cycle_peak {r.one_cycle_peak} and "
            f"average {r.average!r}; one_cycle and swa need to know the last epoch beforehand: leave out "
            f"early stopping, or them."
        ),
    ),
    (
        lambda r: r.average == "swa" and r.one_cycle_peak is not None,
        lambda r: (
            f"average is 'swa' with one_cycle_peak {r.one_cycle_peak:g}; at the end of a cycle the weights "
            f"hardly move, and their mean is the last of them: choose one."
        ),
    ),
    (
        lambda r: r.prune_channels and r.one_cycle_peak is not None,
        lambda r: (
            f"prune_channels is {r.prune_channels:g} with one_cycle_peak {r.one_cycle_peak:g}; each round of "
            f"pruning makes a new optimiser, and a cycle would begin again: choose one."
        ),
    ),
    (
        lambda r: bool(r.prune_channels and r.prune_weights),
        lambda r: (
            f"prune_channels is {r.prune_channels:g} and prune_weights {r.prune_weights:g}; the one is "
            f"the control of the other: choose one."
        ),
    ),
    (
        lambda r: bool(r.prune_weights) and r.channels_last,
        lambda r: (
            f"prune_weights is {r.prune_weights:g} with channels_last True; torch.nn.utils.prune reads "
            f"weights in the usual order of memory alone: choose one."
        ),
    ),
    (
        lambda r: bool(r.prune_channels or r.prune_weights) and (r.compile or r.cuda_graph),
        lambda r: (
            f"prune_channels is {r.prune_channels:g} and prune_weights {r.prune_weights:g} with compile "
            f"{r.compile} and cuda_graph {r.cuda_graph}; both record the network before the first epoch, and "
            f"pruning changes it afterwards: choose one."
        ),
    ),
    (
        lambda r: bool(r.prune_channels) and (r.checkpointing or r.precision == "fp16"),
        lambda r: (
            f"prune_channels is {r.prune_channels:g} with checkpointing {r.checkpointing} and precision "
            f"{r.precision!r}; pruning follows channels through the graph of the whole network, which "
            f"checkpointing cuts, and weighs them by gradients, which fp16 scales and may make infinite: "
            f"leave out pruning, or them."
        ),
    ),
    (
        lambda r: r.average != "none" and (r.prune_channels or r.prune_weights),
        lambda r: (
            f"average is {r.average!r} with prune_channels {r.prune_channels:g} and prune_weights "
            f"{r.prune_weights:g}; weights from before and after a cut have no mean: choose one."
        ),
    ),
    (
        lambda r: r.weights != "fp32" and (r.average == "ema" or r.optimizer == "schedule_free"),
        lambda r: (
            f"weights is {r.weights!r} with average {r.average!r} and optimizer {r.optimizer!r}; what one "
            f"update adds to an average is lost in the rounding of 16 bits: leave out half weights, or the "
            f"average."
        ),
    ),
    (
        lambda r: r.channels_last and r.optimizer == "adam_8bit",
        lambda r: (
            f"channels_last is True with optimizer {r.optimizer!r}, which puts weights back into the usual "
            f"order of memory in each step: choose one."
        ),
    ),
)

_KERNELS = (
    (
        lambda r: r.precision != "fp32" and r.weights != "fp32",
        lambda r: (
            f"precision is {r.precision!r} with weights {r.weights!r}; weights of 16 bits leave autocast "
            f"nothing to cast: choose one."
        ),
    ),
    (
        lambda r: r.weights == "fp16" and r.optimizer in ("novograd", "novograd_foreach", "muon"),
        lambda r: (
            f"weights is 'fp16' with optimizer {r.optimizer!r}, whose squares of gradients leave the range "
            f"of float16 within a few steps: use adam, adam_8bit, or bf16_weights."
        ),
    ),
    (
        lambda r: r.precision == "fp16" and bool(r.lr_find_steps),
        lambda r: (
            f"precision is 'fp16' with lr_find_steps {r.lr_find_steps}; the search knows no scaled loss, and "
            f"would see other gradients than the training: use bf16, or leave out lr_find."
        ),
    ),
    (
        lambda r: r.compile and r.cuda_graph,
        lambda _: "compile is True with cuda_graph True; a compiled pass cannot be recorded: choose one.",
    ),
    (
        lambda r: r.compile and r.checkpointing,
        lambda _: (
            "compile is True with checkpointing True; the compiler decides itself what is kept for the "
            "backward pass and what is computed again: choose one."
        ),
    ),
    (
        lambda r: r.compile and (r.average != "none" or r.optimizer == "schedule_free"),
        lambda r: (
            f"compile is True with average {r.average!r} and optimizer {r.optimizer!r}; what is compiled is "
            f"the network as trained: an average of its weights is judged in an uncompiled copy, or needs "
            f"passes for the statistics of batch normalisation, which break the graph: choose one."
        ),
    ),
    (
        lambda r: r.cuda_graph and r.checkpointing,
        lambda _: (
            "cuda_graph is True with checkpointing True; a stage that is computed again asks for random "
            "states, which a recording cannot answer: choose one."
        ),
    ),
    (
        lambda r: r.cuda_graph and r.optimizer == "novograd",
        lambda _: (
            "cuda_graph is True with optimizer 'novograd', which waits for one number per layer in each "
            "step, just what the graph is to end: use novograd_foreach."
        ),
    ),
    (
        lambda r: r.cuda_graph and r.accumulate > 1,
        lambda r: (
            f"cuda_graph is True with accumulate {r.accumulate}; each replay writes the gradients to the "
            f"same memory, over those of the batch before: choose one."
        ),
    ),
    (
        lambda r: r.cuda_graph and bool(r.resolution_stages),
        lambda r: (
            f"cuda_graph is True with resolution_stages {r.resolution_stages}; a graph holds slices of one "
            f"size: choose one."
        ),
    ),
)

_INTEGERS = (
    (
        lambda r: r.int8_qat and (r.precision != "fp32" or r.weights != "fp32"),
        lambda r: (
            f"int8_qat is True with precision {r.precision!r} and weights {r.weights!r}; scales of 8-bit "
            f"integers are learnt from fp32 figures: choose one."
        ),
    ),
    (
        lambda r: r.int8_qat and (r.compile or r.cuda_graph or r.checkpointing or r.channels_last),
        lambda r: (
            f"int8_qat is True with compile {r.compile}, cuda_graph {r.cuda_graph}, checkpointing "
            f"{r.checkpointing} and channels_last {r.channels_last}; it trains an exported graph, which has "
            f"neither stages nor layout to choose, and changes in the middle of the training: choose one."
        ),
    ),
    (
        lambda r: r.int8_qat and bool(r.prune_channels or r.prune_weights),
        lambda r: (
            f"int8_qat is True with prune_channels {r.prune_channels:g} and prune_weights "
            f"{r.prune_weights:g}; an exported graph cannot be cut any more: choose one."
        ),
    ),
    (
        lambda r: r.int8_qat and (r.average != "none" or r.optimizer == "schedule_free"),
        lambda r: (
            f"int8_qat is True with average {r.average!r} and optimizer {r.optimizer!r}; scales belong to "
            f"the weights as trained, not to their average: choose one."
        ),
    ),
    (
        lambda r: r.int8_qat and bool(r.resolution_stages),
        lambda r: (
            f"int8_qat is True with resolution_stages {r.resolution_stages}; an exported graph takes slices "
            f"of one size: choose one."
        ),
    ),
)

_REFUSED = (
    *_LEARNING,
    *_KERNELS,
    *_INTEGERS,
    (
        lambda r: r.lr_find_low >= r.lr_find_high,
        lambda r: f"lr_find_low is {r.lr_find_low}, lr_find_high {r.lr_find_high}; expected low < high.",
    ),
    _needs_workers("prefetch"),
    _needs_workers("persistent_workers"),
    (
        lambda r: r.loading == "device" and (r.workers or r.pin_memory),
        lambda r: (
            f"loading is 'device' with workers {r.workers} and pin_memory {r.pin_memory}; slices that lie on "
            f"the device are loaded by nobody: leave out device_cache, or workers and pinned memory."
        ),
    ),
    (
        lambda r: r.resolution < 1 and bool(r.resolution_stages),
        lambda r: (
            f"resolution is {r.resolution:g} with resolution_stages {r.resolution_stages}; stages grow to "
            f"full size, which a lower resolution never shows: choose one."
        ),
    ),
)
