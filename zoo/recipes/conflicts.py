"""Which choices of a Recipe exclude each other, and why."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.recipes.recipe import Recipe

ANY = None  # every value of a field but its default
Choice = dict[str, Any]  # fields, each with the values that count, or ANY; one such field is enough

_PRUNING: Choice = {"prune_channels": ANY, "prune_weights": ANY}
_AVERAGING: Choice = {"average": ANY, "optimizer": ("schedule_free",)}

# One choice, another that it excludes, and why.
EXCLUSIONS: tuple[tuple[Choice, Choice, str], ...] = (
    # What is learnt, and how fast
    (
        {"amsgrad": ANY},
        {"optimizer": ("adam_8bit", "schedule_free", "muon")},
        "that optimizer has no such variant: leave out amsgrad",
    ),
    (
        {"optimizer": ("schedule_free",)},
        {"plateau_patience": ANY, "one_cycle_peak": ANY, "average": ANY},
        "it averages the weights itself, in place of any schedule: leave out plateau, one_cycle, ema and swa",
    ),
    ({"one_cycle_peak": ANY}, {"plateau_patience": ANY}, "both set the learning rate: choose one"),
    (
        {"early_stop_patience": ANY},
        {"one_cycle_peak": ANY, "average": ("swa",)},
        "one_cycle and swa need to know the last epoch beforehand: leave out early stopping, or them",
    ),
    (
        {"average": ("swa",)},
        {"one_cycle_peak": ANY},
        "at the end of a cycle the weights hardly move, and their mean is the last of them: choose one",
    ),
    (
        {"channels_last": ANY},
        {"optimizer": ("adam_8bit",)},
        "it puts weights back into the usual order of memory in each step: choose one",
    ),
    # Pruning
    (
        {"prune_channels": ANY},
        {"one_cycle_peak": ANY},
        "each round of pruning makes a new optimiser, and a cycle would begin again: choose one",
    ),
    ({"prune_channels": ANY}, {"prune_weights": ANY}, "the one is the control of the other: choose one"),
    (
        {"prune_weights": ANY},
        {"channels_last": ANY},
        "torch.nn.utils.prune reads weights in the usual order of memory alone: choose one",
    ),
    (
        _PRUNING,
        {"compile": ANY, "cuda_graph": ANY},
        "it records the network before the first epoch, and pruning changes it afterwards: choose one",
    ),
    (
        {"prune_channels": ANY},
        {"checkpointing": ANY, "precision": ("fp16",)},
        "pruning follows channels through the graph of the whole network, which checkpointing cuts, and "
        "weighs them by gradients, which fp16 scales and may make infinite: leave out pruning, or them",
    ),
    ({"average": ANY}, _PRUNING, "weights from before and after a cut have no mean: choose one"),
    # Formats
    (
        {"weights": ANY},
        {"average": ("ema",), "optimizer": ("schedule_free",)},
        "what one update adds to an average is lost in the rounding of 16 bits: leave out half weights, or "
        "the average",
    ),
    ({"precision": ANY}, {"weights": ANY}, "weights of 16 bits leave autocast nothing to cast: choose one"),
    (
        {"weights": ("fp16",)},
        {"optimizer": ("novograd", "novograd_foreach", "muon")},
        "its squares of gradients leave the range of float16 within a few steps: use adam, adam_8bit, or "
        "bf16_weights",
    ),
    (
        {"precision": ("fp16",)},
        {"lr_find_steps": ANY},
        "the search knows no scaled loss, and would see other gradients than the training: use bf16, or "
        "leave out lr_find",
    ),
    # Compiled and recorded passes
    ({"compile": ANY}, {"cuda_graph": ANY}, "a compiled pass cannot be recorded: choose one"),
    (
        {"compile": ANY},
        {"checkpointing": ANY},
        "the compiler decides itself what is kept for the backward pass and what is computed again: choose "
        "one",
    ),
    (
        {"compile": ANY},
        _AVERAGING,
        "what is compiled is the network as trained: an average of its weights is judged in an uncompiled "
        "copy, or needs passes for the statistics of batch normalisation, which break the graph: choose one",
    ),
    (
        {"cuda_graph": ANY},
        {"checkpointing": ANY},
        "a stage that is computed again asks for random states, which a recording cannot answer: choose one",
    ),
    (
        {"cuda_graph": ANY},
        {"optimizer": ("novograd",)},
        "it waits for one number per layer in each step, just what the graph is to end: use novograd_foreach",
    ),
    (
        {"cuda_graph": ANY},
        {"accumulate": ANY},
        "each replay writes the gradients to the same memory, over those of the batch before: choose one",
    ),
    ({"cuda_graph": ANY}, {"resolution_stages": ANY}, "a graph holds slices of one size: choose one"),
    # 8-bit integers
    (
        {"int8_qat": ANY},
        {"precision": ANY, "weights": ANY},
        "scales of 8-bit integers are learnt from fp32 figures: choose one",
    ),
    (
        {"int8_qat": ANY},
        {"compile": ANY, "cuda_graph": ANY, "checkpointing": ANY, "channels_last": ANY},
        "an exported graph is trained, which has neither stages nor layout to choose, and changes in the "
        "middle of the training: choose one",
    ),
    ({"int8_qat": ANY}, _PRUNING, "an exported graph cannot be cut any more: choose one"),
    (
        {"int8_qat": ANY},
        _AVERAGING,
        "scales belong to the weights as trained, not to their average: choose one",
    ),
    (
        {"int8_qat": ANY},
        {"resolution_stages": ANY},
        "an exported graph takes slices of one size: choose one",
    ),
    # Loading, and what is seen
    ({"prefetch": ANY, "persistent_workers": ANY}, {"workers": (0,)}, "it needs 1 worker or more"),
    (
        {"loading": ("device",)},
        {"workers": ANY, "pin_memory": ANY},
        "slices that lie on the device are loaded by nobody: leave out device_cache, or workers and pinned "
        "memory",
    ),
    (
        {"resolution": ANY},
        {"resolution_stages": ANY},
        "stages grow to full size, which a lower resolution never shows: choose one",
    ),
)


def refuse(recipe: "Recipe") -> None:
    """Refuse a recipe whose choices make no sense together.

    Raises:
        ValueError: with what was given, and the reason.
    """
    defaults = {field.name: field.default for field in fields(recipe)}
    for one, other, reason in EXCLUSIONS:
        made = _made(recipe, one, defaults)
        against = made and _made(recipe, other, defaults)
        if against:
            given = " and ".join(f"{name} is {value!r}" for name, value in made.items())
            excluded = " and ".join(f"{name} {value!r}" for name, value in against.items())
            raise ValueError(f"{given} with {excluded}; {reason}.")
    if recipe.lr_find_low >= recipe.lr_find_high:
        raise ValueError(
            f"lr_find_low is {recipe.lr_find_low}, lr_find_high {recipe.lr_find_high}; expected low < high."
        )


def _made(recipe: "Recipe", choice: Choice, defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the fields by which a recipe has made a choice, and their values."""
    return {
        name: getattr(recipe, name)
        for name, counts in choice.items()
        if (getattr(recipe, name) != defaults[name] if counts is ANY else getattr(recipe, name) in counts)
    }
