"""What is trained, and how: one frozen record with every choice in it, and the names that fill it in.

Imports no torch: a recipe can be made, checked and stored before anything is loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

from zoo._registry import load, networks, require, techniques
from zoo.recipes import conflicts
from zoo.recipes.ranges import RULES

# Of the defaults below: raised when one changes, not when one is added. Cases have it in their keys.
DEFAULTS_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """Hold every choice of a training run as a plain value that JSON can carry.

    The defaults are the `baseline` technique. Make one with `zoo.recipe`, which applies techniques by name.

    Raises:
        ValueError: naming the field, the value, and what was expected.
    """

    architecture: str
    technique: str = "baseline"

    epochs: int = 10  # at most, if early stopping is on
    batch_size: int = 16  # slices; 2 or more, as batch normalisation needs statistics over slices
    device: str = "cpu"  # or "cuda:0", "cuda:1", ...
    threads: int | None = None  # CPU threads of one operation; None leaves torch's number
    power_limit_percent: int | None = None  # of the GPU's default, while it trains; None leaves the limit

    loss: str = "dice"  # always computed in fp32, whatever the precision
    optimizer: str = "adam"
    learning_rate: float = 1e-3  # the learning-rate search, where on, replaces it
    betas: tuple[float, float] = (0.9, 0.999)
    amsgrad: bool = False
    accumulate: int = 1  # batches whose mean gradient makes one update of the weights
    one_cycle_peak: float | None = None  # highest rate of a cycle, in multiples of the first; None: no cycle
    average: str = "none"  # of the weights, kept in their place: "ema" over updates, "swa" over epochs
    ema_decay: float = 0.999  # what stays of a moving average in each update, once there were many
    swa_from: float = 0.75  # share of the epochs after which they are averaged
    precision: str = "fp32"  # "bf16" and "fp16" are autocast: weights and loss stay in fp32
    weights: str = "fp32"  # format the network is kept in, its optimiser's state, too: "bf16" or "fp16"
    fp32_math: str | None = None  # of a CUDA GPU: "tf32" or "ieee"; None leaves torch's choice
    channels_last: bool = False  # NHWC in memory instead of NCHW
    compile: bool = False  # torch.compile, before the first epoch
    cuda_graph: bool = False  # of the network's forward and backward pass, captured before the first epoch
    checkpointing: bool = False  # stages keep only their input and are computed again in the backward pass
    fp8_linear: bool = False  # matrix products of Linear layers in 8-bit floating point

    # "disk": one NIfTI file per slice, each epoch; "cache" reads each once; "device" keeps them there
    loading: str = "disk"
    workers: int = (
        0  # loader processes, for training and for validation each; 0 loads in the training process
    )
    prefetch: int | None = None  # batches each worker prepares ahead; None leaves torch's number
    persistent_workers: bool = False  # workers live as long as the training, not as long as an epoch
    pin_memory: bool = False  # page-locked batches; has an effect with CUDA only

    prune_channels: float = 0.0  # share of each layer's channels that leave in rounds; 0: none
    prune_weights: float = 0.0  # share of all convolutions' weights set to zero in rounds; 0: none
    prune_rounds: int = 3  # equal parts, one before each of the epochs 2, 3, ...

    teacher: str | None = None  # network that is trained first and whose answers are learnt; None: none
    distill_weight: float = 0.5  # of the teacher's answers in the loss; the masks have the rest
    distill_temperature: float = 2.0  # divides the logits of both; above 1 it shows how sure the teacher is

    int8_qat: bool = False  # trained with what rounding to 8-bit integers does, and judged in them
    int8_from: float = 0.5  # share of the epochs that are trained without that

    empty_kept: float = 1.0  # share of the training slices without brain that is trained on
    resolution: float = 1.0  # side of what the network sees, as a share; logits are scaled back
    resolution_stages: tuple[float, ...] = ()  # of training alone, each for an equal part of the epochs

    augment: bool = False  # of the training slices; what follows counts only then
    rotation_degrees: float = 90.0  # uniform within plus and minus this angle
    rotation_probability: float = 0.5
    flip_probability: float = 0.3  # mirrored along one axis

    lr_find_steps: int = 0  # batches of the learning-rate search; 0: no search
    lr_find_low: float = 1e-5
    lr_find_high: float = 1e-1

    plateau_patience: int | None = None  # flat epochs tolerated before the rate falls; None: constant rate
    plateau_factor: float = 0.1
    plateau_threshold: float = 1e-3  # relative fall of the validation loss that counts as progress
    plateau_floor: float = 1e-6

    early_stop_patience: int | None = None  # epochs without progress that end the training; None: never
    early_stop_min_delta: float = 1e-3  # absolute fall of the validation loss that counts as progress

    def __post_init__(self) -> None:
        require(self.architecture, networks(), "architecture")
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON gives lists
        object.__setattr__(self, "resolution_stages", tuple(self.resolution_stages))
        for name, expected, holds in RULES:
            if not holds(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {expected}.")
        conflicts.refuse(self)

    @property
    def fixed_length(self) -> bool:
        """Whether a choice needs to know the last epoch beforehand, so that nothing may end the training."""
        return self.one_cycle_peak is not None or self.average == "swa"


def recipe(architecture: str, technique: str = "baseline", **changes: Any) -> Recipe:
    """Make the recipe of an architecture and a technique, or several: `novograd+cache`, left to right.

    `changes` are settings of the suite (epochs, batch_size, device ...); they are applied first, and no
    technique may undo one.

    Raises:
        ValueError: for an unknown name, with the nearest ones; for techniques that contradict each other,
            or of which one adds nothing; for a change that a technique overrides.
    """
    for name in changes:
        require(name, [field.name for field in fields(Recipe)], "setting")
    names = technique.split("+")
    for name in names:
        require(name, techniques(), "technique")
    _refuse_contradictions(architecture, names)
    _refuse_superfluous(architecture, names)
    made = _applied(Recipe(architecture, technique, **changes), names)
    _refuse_undone(made, changes)
    return made


def _applied(made: Recipe, names: Sequence[str]) -> Recipe:
    for name in names:
        try:
            made = load("techniques", name).apply(made)
        except TypeError as problem:  # such as a field that there is not
            raise ValueError(f"technique {name!r}: {problem}") from problem
        if not isinstance(made, Recipe):
            raise ValueError(f"technique {name!r} gives {made!r}; expected a Recipe.")
    return made


def _effect(technique: str, architecture: str) -> dict[str, Any]:
    plain = Recipe(architecture)
    applied = _applied(plain, [technique])
    values = {field.name: getattr(applied, field.name) for field in fields(Recipe)}
    return {name: value for name, value in values.items() if value != getattr(plain, name)}


def _refuse_contradictions(architecture: str, names: list[str]) -> None:
    """Refuse two techniques that set a field to different values, unless one gives way in either order."""
    if len(names) > len(set(names)):
        raise ValueError(f"technique {'+'.join(names)!r} names a technique twice; name each once.")
    effects = {name: _effect(name, architecture) for name in names} if len(names) > 1 else {}
    for one, other in combinations(effects, 2):
        for name in effects[one].keys() & effects[other].keys():
            if effects[one][name] == effects[other][name]:
                continue
            orders = (_applied(Recipe(architecture), order) for order in ((one, other), (other, one)))
            if len({getattr(made, name) for made in orders}) > 1:
                raise ValueError(
                    f"techniques {one!r} and {other!r} contradict each other: {one} sets {name} to "
                    f"{effects[one][name]!r}, {other} to {effects[other][name]!r}; choose one."
                )


def _refuse_superfluous(architecture: str, names: list[str]) -> None:
    """Refuse a technique without which the others make the same recipe."""
    for name in names if len(names) > 1 else ():
        others = [other for other in names if other != name]
        if _applied(Recipe(architecture), others) == _applied(Recipe(architecture), names):
            raise ValueError(f"technique {name!r} adds nothing to {'+'.join(others)!r}; leave it out.")


def _refuse_undone(made: Recipe, changes: dict[str, Any]) -> None:
    for name, asked in changes.items():
        value = getattr(made, name)
        if value != (tuple(asked) if isinstance(asked, list) else asked):
            raise ValueError(
                f"{name} = {asked!r} was asked for, but technique {made.technique!r} sets it to {value!r}; "
                f"leave out the one or the other."
            )
