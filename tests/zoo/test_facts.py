"""The facts of the networks: what is kept for the backward pass, the citation, and the README's table."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from tests import study
from zoo import __main__, facts
from zoo.size import activation_bytes_per_slice, kept_bytes, macs_per_slice

ROOT = Path(zoo.__file__).parents[1]
MIB = 2**20


@pytest.fixture(scope="module")
def rows() -> dict[str, facts.Facts]:
    """What the files say of their networks, whose figures take a minute and are left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "weightless", lambda name: nn.Identity())
        for figure in ("macs_per_slice", "logits_shape", "activation_bytes_per_slice"):
            patch.setattr(facts, figure, lambda name, image_size: None)
        return {row.name: row for row in facts.every()}


def test_a_memory_that_two_layers_keep_counts_once():
    """The rectifier's output is what it keeps itself and what the next convolution reads."""
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(4, 1, 1, bias=False)
    )
    batch = torch.zeros(1, 1, 8, 8)
    weights = 4 * 9 + 4

    assert kept_bytes(model, batch) == 4 * (64 + 4 * 64 + weights)


def test_what_an_operation_reads_but_does_not_need_again_is_not_kept():
    assert kept_bytes(nn.AvgPool2d(1), torch.zeros(1, 1, 8, 8)) == 0
    assert kept_bytes(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten()), torch.zeros(1, 1, 8, 8)) == 4 * (
        64 + 1
    )


def test_unet_keeps_what_its_layers_need():
    """At 256 pixels a map of 64 channels takes 16 MiB, and half of that at each level down.

    Each 3x3 block keeps the inputs of both normalisations and both rectified outputs: four maps a level. On
    the way down the pooling adds 8-byte places and its output, a quarter each; on the way up a concatenation
    of two maps is kept instead. At the bottom a map of 1,024 channels takes 1 MiB.
    """
    levels = 1 + 1 / 2 + 1 / 4 + 1 / 8
    down, bottom, up = levels * (4 * 16 + 8 + 4), 4 * 1, levels * (4 * 16 + 2 * 16)
    image = 256 * 256 * 4 / MIB

    assert activation_bytes_per_slice("unet", 256) == (image + down + bottom + up) * MIB


def test_unets_products_are_those_of_its_convolutions():
    """Products per pixel: 9 for each pair of channels of a 3x3 convolution, 1 for each pair of a doubling."""
    pixels = [65_536 // 4**level for level in range(5)]
    widths = [64, 128, 256, 512, 1024]
    entries = [1, *widths]
    down = sum(n * 9 * (a * b + b * b) for n, a, b in zip(pixels, entries, widths, strict=False))
    up = sum(n * (a * b + 9 * (a * b + b * b)) for n, a, b in zip(pixels, widths[1:], widths, strict=False))

    assert macs_per_slice("unet", 256) == down + up + pixels[0] * 64


def test_figures_are_those_of_the_padded_slice():
    assert macs_per_slice("unet", 100) == macs_per_slice("unet", 112)
    assert activation_bytes_per_slice("unet", 100) == activation_bytes_per_slice("unet", 112)


def test_counting_leaves_the_random_state_as_it_was():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    activation_bytes_per_slice("contextnet", 96)

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "paper", "link"),
    [
        ("unet", "Ronneberger et al. 2015", "https://arxiv.org/abs/1505.04597"),
        ("linknet", "Chaurasia & Culurciello 2017", "https://arxiv.org/abs/1707.03718"),
        ("edanet", "Lo et al. 2018", "https://arxiv.org/abs/1809.06323"),
        ("squeeze_unet", "Beheshti & Johnsson 2020", "https://doi.org/10.1109/CVPRW50498.2020.00190"),
        ("sqnet", "Treml et al. 2016", "https://openreview.net/forum?id=S1uHiFyyg"),
        ("monai_basic_unet", "Falk et al. 2019", "https://doi.org/10.1038/s41592-018-0261-2"),
        ("monai_segresnet", "Myronenko 2018", "https://arxiv.org/abs/1810.11654"),
    ],
)
def test_a_citation_is_read_from_the_docstring(rows, name, paper, link):
    assert (rows[name].paper, rows[name].link) == (paper, link)


def test_a_paper_that_is_only_known_from_another_says_so(rows):
    assert rows["micronet"].identifier == "cited in arXiv:2405.15778"


def test_a_network_whose_file_names_no_paper_says_so(tmp_path):
    (tmp_path / "architectures").mkdir()
    (tmp_path / "architectures" / "nameless.py").write_text(
        '"""A network.\n\nIt has layers.\n"""\nfrom zoo.architectures.contextnet import MULTIPLE, build\n'
    )
    with zoo.add_folder(tmp_path):
        row = facts.facts("nameless")

    assert (row.paper, row.identifier, row.link) == (None, None, None)
    assert facts.text([row]).endswith("its file names none")


def test_every_network_is_listed_and_the_extras_are_marked(rows):
    assert tuple(rows) == zoo.networks()
    assert {name for name, row in rows.items() if row.extra} == set(zoo.extras())


def readmes_table() -> str:
    readme = (ROOT / "README.md").read_text()
    (table,) = re.findall(r"<!-- zoo -->\n(.*?)\n<!-- /zoo -->", readme, re.DOTALL)
    return table.strip()


@pytest.mark.slow
def test_the_readmes_table_is_what_the_command_prints():
    listed = [facts.facts(name) for name in (*study.NETWORKS, *zoo.extras())]

    assert readmes_table() == facts.markdown(listed), "run: python -m zoo --markdown"


def test_the_command_prints_a_table_and_the_readme_has_its_rows(monkeypatch, capsys):
    monkeypatch.setattr(facts, "every", lambda: [facts.facts("contextnet")])
    for options in ([], ["--markdown"]):
        monkeypatch.setattr("sys.argv", ["zoo", *options])
        __main__.main()
    printed = capsys.readouterr().out.splitlines()

    assert printed[0].split()[:2] == ["network", "parameters"]
    assert printed[2].startswith("contextnet     873,089")
    assert printed[5].startswith("| `contextnet` | 873,089 | ")
    assert set(printed[3:]) <= set(readmes_table().splitlines())
