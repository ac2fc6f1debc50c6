"""Our networks against pytorchcv's, which were written independently: with equal weights, equal logits.

Layers with weights are paired in the order in which they run. Where two branches run in another order, the
table says which of ours comes first there; where pytorchcv knowingly differs from a paper, what is changed in
its network, or in ours, before the comparison. In double precision, so that a difference is no rounding.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import zoo
from zoo.architectures import fpenet

pytest.importorskip("pytorchcv", reason="pytorchcv is not installed; pip install 'joulebench[test]'")

Layers = list[tuple[str, nn.Module]]


@dataclass(frozen=True)
class Twin:
    """How to find pytorchcv's network, and what is known to differ."""

    module: str
    function: str
    in_channels: int = 1  # pytorchcv cannot build some networks for one channel
    first: Sequence[tuple[str, str]] = ()  # layers of ours that run earlier there, and before which ones
    change: Callable[[nn.Module], None] = lambda theirs: None
    ours: Callable[[nn.Module], None] = lambda ours: None
    logits: Callable[[Tensor], Tensor] = lambda logits: logits  # of ours, before the comparison


def turn(weights: Tensor, dim: int) -> None:
    """Exchange the halves of an axis: two maps that were concatenated the other way round."""
    weights.copy_(weights.roll(weights.shape[dim] // 2, dim))


def turn_cgnets_last_concatenation(theirs: nn.Module) -> None:
    for layer in theirs.features.stage3.norm_activ.modules():
        for weights in [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            if weights.numel() == 256:
                turn(weights, 0)
    turn(theirs.classifier.weight, 1)


def turn_sqnets_concatenations(theirs: nn.Module) -> None:
    up = theirs.hg.up_seq
    for layer in (up.up2.conv.conv, up.up3.conv.conv, theirs.head.conv.conv):
        turn(layer.weight, 1)


def epsilon(value: float) -> Callable[[nn.Module], None]:
    """Take the epsilon of the authors' code."""

    def change(theirs: nn.Module) -> None:
        for layer in theirs.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = value

    return change


def leave_out_edanets_extra_rectifiers(theirs: nn.Module) -> None:
    """The paper has none between the two halves of a dilated pair."""
    epsilon(1e-5)(theirs)
    for name, layer in theirs.named_modules():
        if name.endswith("conv2.lw_conv"):
            layer.activ = nn.Identity()


def pad_contextnets_stems(theirs: nn.Module) -> None:
    """The study's code and pytorchcv forgot to."""
    theirs.features_high.conv1.conv.padding = theirs.features_low.features.init_block.conv.padding = (1, 1)


def expand_once_only(ours: nn.Module) -> None:
    """FPENet as in the study's code and pytorchcv: only the first block of a stage expands."""
    for stage, channels in ((ours.stage2, 32), (ours.stage3, 64)):
        stage.rest = nn.Sequential(*(fpenet.Block(channels, channels, expansion=1) for _ in stage.rest))


SHORTCUTS = tuple((f"encoders.{level}.0.shortcut", f"encoders.{level}.0.") for level in (1, 2, 3))
SKIPS = tuple((f"refine{level}.up", f"refine{level}.") for level in (1, 2, 3))
EMBEDDINGS = tuple(
    (f"up{n}.{part}", f"up{n}.") for n in (2, 1) for part in ("spatial", "channel", "low", "high")
)
TWINS = {
    "segnet": Twin("segnet", "segnet_cityscapes"),
    "sqnet": Twin("sqnet", "sqnet_cityscapes", first=SKIPS, change=turn_sqnets_concatenations, logits=F.elu),
    "linknet": Twin("linknet", "linknet_cityscapes", in_channels=3, first=SHORTCUTS),
    "erfnet": Twin("erfnet", "erfnet_cityscapes", change=epsilon(1e-3)),
    "edanet": Twin("edanet", "edanet_cityscapes", change=leave_out_edanets_extra_rectifiers),
    "cgnet": Twin("cgnet", "cgnet_cityscapes", in_channels=3, change=turn_cgnets_last_concatenation),
    "dabnet": Twin("dabnet", "dabnet_cityscapes", in_channels=3),
    "esnet": Twin("esnet", "esnet_cityscapes"),
    "contextnet": Twin(
        "contextnet",
        "ctxnet_cityscapes",
        first=[("fusion.detail", "fusion.")],
        change=pad_contextnets_stems,
    ),
    "fpenet": Twin(
        "fpenet",
        "fpenet_cityscapes",
        first=[(f"stage{n}.first.shortcut", f"stage{n}.first.") for n in (2, 3)] + list(EMBEDDINGS),
        ours=expand_once_only,
    ),
}


def build(twin: Twin) -> nn.Module:
    more = {"pretrained_backbone": False} if twin.module == "linknet" else {}
    function = getattr(importlib.import_module(f"pytorchcv.models.{twin.module}"), twin.function)
    theirs = function(in_channels=twin.in_channels, in_size=(64, 64), num_classes=3, **more)
    return theirs.eval().double()


def shake(model: nn.Module) -> None:
    """Draw what is 0 or 1 in a fresh network: statistics, scales and slopes."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
        if isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight)


def in_order(model: nn.Module, images: Tensor) -> Layers:
    """List the layers that hold weights, in the order in which they run."""
    seen: Layers = []
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output, name=name: seen.append((name, layer)))
        for name, layer in model.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    return seen


def rearranged(layers: Layers, first: Sequence[tuple[str, str]]) -> Layers:
    """Put the layers whose name begins as given before the first layer whose name begins as given."""
    for moved, before in first:
        earlier = [pair for pair in layers if pair[0].startswith(moved)]
        rest = [pair for pair in layers if not pair[0].startswith(moved)]
        assert earlier, f"no layer of ours is called {moved}"
        at = next(index for index, (name, _) in enumerate(rest) if name.startswith(before))
        layers = rest[:at] + earlier + rest[at:]
    return layers


def copy_weights(ours: Layers, theirs: Layers) -> None:
    for (name, one), (their_name, other) in zip(ours, theirs, strict=True):
        pairs = [*zip(one.parameters(recurse=False), other.parameters(recurse=False), strict=True)]
        pairs += zip(one.buffers(recurse=False), other.buffers(recurse=False), strict=True)
        for mine, its in pairs:
            assert mine.numel() == its.numel(), (name, their_name)
            its.copy_(mine.view_as(its))


@pytest.mark.parametrize("name", TWINS)
@torch.no_grad()
@pytest.mark.slow
def test_a_network_computes_what_pytorchcvs_does_with_the_same_weights(name):
    torch.manual_seed(0)
    twin = TWINS[name]
    ours, theirs = zoo.create(name, twin.in_channels, 3).eval(), build(twin)
    twin.ours(ours)
    shake(ours.eval().double())
    images = torch.randn(2, twin.in_channels, 64, 64, dtype=torch.double)
    copy_weights(rearranged(in_order(ours, images), twin.first), in_order(theirs, images))
    twin.change(theirs)
    logits, expected = twin.logits(ours(images)), theirs(images)
    expected = expected[0] if isinstance(expected, tuple | list) else expected

    assert logits.std() > 1e-6
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5 * float(logits.abs().max()))


@torch.no_grad()
def test_espnetv2_computes_the_four_maps_of_pytorchcvs_classifier():
    from pytorchcv.models.espnetv2 import espnetv2_w2

    torch.manual_seed(0)
    ours = zoo.create("espnetv2").eval().double()
    shake(ours)
    features = espnetv2_w2(in_channels=1, in_size=(64, 64)).eval().double().features
    theirs = Backbone(features.init_block, features.stage1, features.stage2, features.stage3)
    images = torch.randn(2, 1, 64, 64, dtype=torch.double)
    ends = ("stem", "down2", "stage3", "stage4")
    backbone = tuple(f"{part}." for part in (*ends, "down3", "down4"))
    layers = [pair for pair in in_order(ours, images) if pair[0].startswith(backbone)]
    copy_weights(layers, in_order(theirs, images))
    maps: dict[str, Tensor] = {}
    for end in ends:
        ours.get_submodule(end).register_forward_hook(
            lambda layer, inputs, output, end=end: maps.__setitem__(end, output)
        )
    ours(images)

    for end, expected in zip(ends, theirs(images), strict=True):
        torch.testing.assert_close(maps[end], expected, rtol=1e-5, atol=1e-8)


class Backbone(nn.Module):
    """pytorchcv's stages, each of which hands the image on beside its map."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        maps, x = [], image
        for stage in self.stages:
            x, image = stage(x, image)
            maps.append(x)
        return maps
