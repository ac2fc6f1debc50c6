"""Networks and techniques of a folder outside the clone, beside those of the zoo."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import zoo
from zoo._registry import find_entry

NETWORK = "from zoo.architectures._shared import BLOCKS, one_layer\nMULTIPLE = 2\nbuild = one_layer\n"
SHARED = "from torch import nn\nBLOCKS = 1\ndef one_layer(a, b): return nn.Conv2d(a, b, 1)\n"
TECHNIQUE = (
    "from dataclasses import replace\n"
    "VARIANTS = {'twice': {'factor': 2}, 'thrice': {'factor': 3}}\n"
    "def apply(recipe, factor): return replace(recipe, batch_size=factor * recipe.batch_size)\n"
)


def write(folder: Path, **files: str) -> Path:
    """Write `architectures__NAME` and `techniques__NAME` to the files that these names mean."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/', 1)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def own(tmp_path):
    """A folder with a network, machinery that it imports, and two techniques in one file."""
    return write(
        tmp_path, architectures__lab_net=NETWORK, architectures___shared=SHARED, techniques__times=TECHNIQUE
    )


def test_what_a_folder_holds_is_there_for_a_block_and_gone_after_it(own):
    before = zoo.architectures(), zoo.techniques()
    with zoo.add_folder(own):
        assert "lab_net" in zoo.architectures()
        assert {"twice", "thrice"} <= set(zoo.techniques())
        assert zoo.recipe("lab_net", "cache+thrice").batch_size == 48
        assert zoo.create("lab_net", 3, 2).out_channels == 2
        assert find_entry("techniques", "twice").path == own / "techniques" / "times.py"

    assert (zoo.architectures(), zoo.techniques()) == before
    assert not [name for name in sys.modules if name.endswith((".lab_net", "._shared"))]
    with pytest.raises(ValueError, match="unknown architecture 'lab_net'"):
        zoo.create("lab_net")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {},
            "holds no networks and no techniques; expected .*/architectures/NAME.py or .*/techniques/NAME.py",
        ),
        (
            {"architectures__unet": NETWORK},
            r"unet\.py: unet is the name of .*zoo/architectures/unet\.py already",
        ),
        ({"architectures__smp_fpn_resnet18": NETWORK}, r"is the name of .*zoo/extras/smp_fpn\.py already"),
        (
            {"techniques__workers_4": TECHNIQUE.replace("twice", "workers_4")},
            r"name of .*techniques/workers\.py",
        ),
        (
            {"architectures___input": SHARED},
            r"_input\.py: .*zoo/architectures/_input\.py has that name already",
        ),
        ({"architectures__lab_net": "MULTIPLE = 2\n"}, r"lab_net\.py: defines no build; see CONTRIBUTING"),
        ({"architectures__lab_net": "def build(a, b): ...\n"}, r"lab_net\.py: defines no MULTIPLE"),
        ({"techniques__times": "def use(recipe): ...\n"}, r"times\.py: defines no apply"),
        ({"techniques__times": "def apply(recipe:\n"}, r"times\.py: line 1: '\(' was never closed"),
        (
            {"techniques__times": "VARIANTS = dict(a=1)\n"},
            r"line 1: VARIANTS is no literal \{name: ",
        ),
        ({"techniques__my-rate": TECHNIQUE[: TECHNIQUE.index("VARIANTS")]}, "'my-rate' is no name"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "".join(value) or "empty",
)
def test_a_folder_that_does_not_fit_is_refused_in_words_and_changes_nothing(tmp_path, files, said):
    before = zoo.networks(), zoo.techniques()
    with pytest.raises(ValueError, match=said), zoo.add_folder(write(tmp_path, **files)):
        pytest.fail("it was taken")

    assert (zoo.networks(), zoo.techniques()) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import no_such_package\ndef apply(recipe): ...\n",
            r"times\.py: ModuleNotFoundError: .*no_such_package",
        ),
        ("def apply(recipe): ...\n", "technique 'times' gives None; expected a Recipe"),
        (
            "from dataclasses import replace\ndef apply(r): return replace(r, rate=1)\n",
            "technique 'times': .*rate",
        ),
    ],
)
def test_a_technique_that_does_not_work_is_named(tmp_path, text, said):
    with zoo.add_folder(write(tmp_path, techniques__times=text)), pytest.raises(ValueError, match=said):
        zoo.recipe("unet", "times")


def test_an_installed_package_offers_its_folder_by_an_entry_point(tmp_path, monkeypatch, own):
    package = write(tmp_path / "site" / "lab", __init__="", techniques__times=TECHNIQUE)
    points = {"lab": "lab", "gone": "no_such_package.zoo"}
    offered = [EntryPoint(name, value, "joulebench.zoo") for name, value in points.items()]
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: offered[: 1 if group else 0])

    assert zoo.find_installed_folders() == (package,)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: offered)
    with pytest.raises(
        ValueError, match=r"gone = no_such_package.zoo .* names no package; expected one with"
    ):
        zoo.find_installed_folders()
