"""A data set is looked at before anything is trained on it."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import data
from tests.command_line import mistake
from tests.simulated.slices import disc, write_slice_pairs


@pytest.fixture
def look(tmp_path, capsys, monkeypatch):
    """Run the command in this process; the cache is a temporary one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def look(*arguments):
        code = data.main([*map(str, arguments), "--no-timing"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return look


@pytest.fixture
def root(tmp_path):
    return write_slice_pairs(tmp_path / "data", subjects=5)


def test_layout_subjects_brain_and_split_are_said_in_three_lines(look, root):
    """Two of three slices of five subjects have a disc, in pixels of 8 x 8 mm."""
    code, out, _ = look(root, "--image-size", 32)
    first, second, third = out.splitlines()[:3]

    assert code == 0
    assert first.endswith("read as slice_pairs: 15 slices of 5 volumes, 5 subjects; 32 px of 8 mm")
    assert second.startswith("subjects: train 3, val 1, test 1; tested on T2W_vol000")
    assert third.startswith("brain (label 1) in 10 slices: ")
    area_cm2 = float(third.partition("slices: ")[2].partition(" cm2")[0])
    assert area_cm2 == pytest.approx(10 * disc().sum() * 64 / 100, rel=1e-3)


def test_the_grid_and_what_is_left_out_stand_below(look, root):
    (root / "extra.mgz").write_bytes(b"0")
    _, out, _ = look(root)

    assert "5 volume(s) of 8 x 8 x 3 mm, RAS, slices across axis 2" in out
    assert "note: left out, no reader takes it: 1 .mgz (extra.mgz)" in out


def test_a_sheet_shows_slices_with_the_outline_of_their_masks(look, root, tmp_path):
    look(root, "--sheet", tmp_path / "a" / "sheet.png")
    pixels = np.asarray(Image.open(tmp_path / "a" / "sheet.png"))
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 120)

    assert pixels.shape == (4 * 192, 6 * 192, 3)
    assert [bool(red[:192, 192 * column : 192 * (column + 1)].any()) for column in range(5)] == [True] * 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "does not exist"), (["phantom", "--label", "0"], "--label 0: expected")],
)
def test_a_mistake_is_one_line(look, arguments, words):
    assert words in mistake(look(*arguments))


def test_the_command_line_hands_it_on_and_says_where_it_works(joulebench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "run it in the folder of a clone" in mistake(joulebench("data", "phantom"))


@pytest.mark.slow
def test_the_time_of_an_epoch_is_told(tmp_path, root, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data.main([str(root), "--image-size", "32"])

    assert "an epoch of U-Net, batches of 4, would take about" in capsys.readouterr().out
