"""What a training and an evaluation give back. Imports no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Diverged(FloatingPointError):  # noqa: N818 - it names a status of the record
    """The loss is no longer a finite number; the message names the epoch and the step."""


class Ineffective(RuntimeError):  # noqa: N818 - as above: the case has failed
    """A technique that was asked for did nothing; its figures would be the baseline's under another name."""


@dataclass(frozen=True)
class Taught:
    """The training of a teacher, before the set-up of its student."""

    architecture: str
    seconds: float
    epochs: int
    val_dice: float  # of the weights that were kept


@dataclass(frozen=True)
class Setup:
    """What happened before the first epoch: cache fill, learning-rate search, building.

    `applied` says in JSON-able values what each choice of the recipe really did here.
    """

    seconds: float
    applied: dict[str, Any]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training slices and one over the validation slices."""

    number: int  # from 1
    loss: float  # mean over the training slices, by batch
    val_loss: float  # the same over the validation slices
    val_dice: float  # pooled over all validation slices; NaN if they show no brain
    val_found: float  # share of all validation pixels that was found to be brain
    lr: float  # learning rate of this epoch
    seconds: float
    slices: int  # training slices that were used
    batch_seconds: float  # of the training slices: their time, divided by the number of batches


@dataclass(frozen=True)
class Trained:
    """A trained network and its history."""

    model: "nn.Module"  # in eval mode, with the weights of the best epoch
    epochs: tuple[Epoch, ...]
    setup: Setup
    applied: dict[str, Any]  # what each choice really did: that of the set-up, and what only the end can tell
    seconds: float  # teacher, set-up and epochs, without what the caller did in between
    best_epoch: int  # the one with the lowest validation loss, of those that judged the network returned
    collapsed: bool  # these weights find nothing of the validation brain, or mark every pixel
    params: int
    macs_per_slice: int  # multiply-accumulates of one forward pass
    peak_gpu_mib: float | None  # allocated by torch; None on a CPU
    stopped_early: bool


@dataclass(frozen=True)
class Scores:
    """Dice of a network on a split, by three definitions; 1 is best, NaN where there is no brain to find."""

    dice: float  # pooled over each volume's slices, then mean over the volumes that have brain; the headline
    dice_slice: float  # mean over slices that show brain
    dice_batch: float  # pooled over each batch, then mean weighted by batch size; depends on the batch size
    dice_by_volume: dict[str, float]  # NaN for a volume without brain
    sensitivity: float  # share of the brain that was found, mean over the volumes that have brain
    precision: float  # share of what was found that is brain, mean over these; NaN if nothing is found in one
