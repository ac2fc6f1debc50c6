"""Saved predictions: what the suite writes is what the report reads; images stay where one asked for them."""

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import zoo
from benchmarks import overlays
from benchmarks.suite import Training
from energy.__main__ import main
from energy.records.storage.store import Store
from energy.report.charts import _predictions
from energy.report.charts import overlays as chart_of
from energy.report.model import Model
from tests.simulated.records import run
from tests.simulated.reports import saved, trained


class Threshold(torch.nn.Module):
    """Calls brain what is brighter than a half."""

    def forward(self, image):
        return image - 0.5


def split():
    """Five slices of two subjects, one without brain, and noise that makes some of the answers wrong."""
    chance = np.random.default_rng(3)
    masks = np.zeros((5, 1, 32, 32), dtype=np.uint8)
    for number in range(4):
        masks[number, 0, 8:20, 6 + number : 20] = 1
    images = (0.7 * masks + chance.normal(0, 0.2, masks.shape)).astype(np.float32)
    subject = ("sub-a", "sub-a", "sub-b", "sub-b", "sub-b")
    return SimpleNamespace(images=images, masks=masks, subject=subject, volume=subject)


@pytest.fixture
def recipe():
    return zoo.recipe("unet", "baseline", batch_size=2, device="cpu")


def test_predictions_are_the_masks_whose_dice_is_told(recipe, tmp_path):
    data = split()
    told = zoo.evaluate(Threshold(), data, recipe)

    path = overlays.save(tmp_path, "unet-baseline", Training(3), Threshold(), data, recipe)
    slices = _predictions.read(path)

    assert path.name == "unet-baseline-seed3.npz"
    assert len(slices) == 4  # the fifth has no brain
    assert np.mean([one.dice for one in slices]) == pytest.approx(told.dice_slice)
    assert 0.5 < slices[0].dice < slices[-1].dice < 1
    assert [one.subject for one in sorted(slices, key=lambda one: one.number)] == [
        "sub-a",
        "sub-a",
        "sub-b",
        "sub-b",
    ]


def test_a_model_is_left_in_the_mode_it_had(recipe):
    model = Threshold().train()

    zoo.predict(model, split(), recipe)

    assert model.training


def test_each_slice_goes_from_black_to_white(recipe, tmp_path):
    with np.load(overlays.save(tmp_path, "a-b", Training(0), Threshold(), split(), recipe)) as file:
        images = file["image"]

    assert images.dtype == np.uint8
    assert (images.min((1, 2)) == 0).all()
    assert (images.max((1, 2)) == 255).all()


@pytest.mark.parametrize("inside", ["results", "results/overlays", "results/../results/x"])
def test_images_may_not_be_saved_among_results(tmp_path, inside):
    with pytest.raises(ValueError, match="results are committed"):
        overlays.check(tmp_path / inside, tmp_path / "results")

    assert not (tmp_path / "results").exists()


def test_a_folder_beside_the_results_is_made(tmp_path):
    assert overlays.check(tmp_path / "a" / "b", tmp_path / "results").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ValueError, match=r"--save-overlays .*file.* cannot be made"):
        overlays.check(tmp_path / "file" / "x", tmp_path / "results")


def test_a_report_shows_images_only_of_the_folder_that_it_is_given(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Store(tmp_path / "results").write(run([trained("unet-baseline", [0.9], [20.0])]))
    overlays.save(tmp_path, "unet-baseline", Training(0), Threshold(), split(), recipe)

    assert main(["report", "-o", "without.html"]) == 0
    assert main(["report", "-o", "with.html", "--overlays", "."]) == 0

    without, with_images = ((tmp_path / name).read_text() for name in ("without.html", "with.html"))
    assert "data:image" not in without
    assert "only on request" in without
    assert len(re.findall(r'xlink:href="data:image/png;base64,', with_images)) == 3


def test_the_worst_the_median_and_the_best_slice_with_brain_are_shown(tmp_path):
    (chart,) = chart_of.draw(Model((), overlays=saved(tmp_path / "p")))

    assert [(row[0], row[1], row[3]) for row in chart.rows] == [
        ("worst", "sub-c", "0"), ("median", "sub-b", "0.5"), ("best", "sub-a", "1"),
    ]  # fmt: skip
    assert "sub-d" not in str(chart.rows)


def test_no_image_is_shown_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(saved(tmp_path / "p"))

    assert chart_of.draw(Model(())) == chart_of.NOT_ASKED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"truth": np.zeros((4, 6, 7), dtype=bool)}, "shapes"),
        ({"image": np.full((4, 6, 8), np.nan)}, "finite"),
        ({"truth": np.zeros((4, 6, 8), dtype=bool)}, "brain"),
        ({"subject": np.array([{"a": 1}] * 4, dtype=object)}, "pickle"),
        ({"subject": np.array(["a"])}, "subjects"),
    ],
)
def test_predictions_that_cannot_be_shown_say_why(tmp_path, changes, told):
    reason = chart_of.draw(Model((), overlays=saved(tmp_path / "p", **changes)))

    assert reason.startswith("unet-baseline.npz: ")
    assert told in reason


def written(save):
    """The bytes of a small file of predictions, as one of numpy's two functions writes it."""
    truth = np.zeros((2, 6, 8), dtype=bool)
    truth[:, 1:3, 1:3] = True
    file = io.BytesIO()
    save(file, image=np.arange(96.0).reshape(truth.shape), truth=truth, prediction=truth, subject=["a", "b"])
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("damage", [b"\xff" * 5, b"\0" * 3, b"{", b"("])
@pytest.mark.slow
def test_bytes_that_were_overwritten_anywhere_are_no_more_than_a_reason(tmp_path, save, damage):
    whole = written(save)
    path = tmp_path / "a-b.npz"
    told = []
    for place in range(0, len(whole) - len(damage), 3):
        path.write_bytes(whole[:place] + damage + whole[place + len(damage) :])
        drawn = chart_of.draw(Model((), overlays=tmp_path))
        told += [drawn] if isinstance(drawn, str) else []

    assert len(told) > 30
    assert all(reason.startswith("a-b.npz: ") for reason in told)


def test_a_damaged_file_of_predictions_costs_no_other_one_and_is_named_with_its_reason(tmp_path):
    folder = saved(saved(tmp_path / "p"), "b-one", truth=np.zeros((4, 6, 8), dtype=bool))
    (folder / "broken.npz").write_bytes(b"PK nothing")

    (chart,) = chart_of.draw(Model((), overlays=folder))

    assert chart.title == "Masks on slices: unet-baseline"
    _, _, named = chart.description.partition("Not shown: ")
    assert re.fullmatch(r"b-one\.npz: no slice has any brain; broken\.npz: .* zip .*", named)


def test_of_many_damaged_files_some_are_named_and_the_others_counted(tmp_path):
    folder = saved(tmp_path / "p")
    for number in range(13):
        (folder / f"broken{number:02}.npz").write_bytes(b"PK nothing")

    (chart,) = chart_of.draw(Model((), overlays=folder))

    assert "broken09.npz" in chart.description
    assert "broken10.npz" not in chart.description
    assert chart.description.endswith("; and 3 more.")


def test_a_damaged_file_takes_no_other_ones_place_and_what_has_no_place_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(chart_of, "MOST_FILES", 2)
    for name in ("b-b", "c-c", "d-d", "e-e", "f-f"):
        folder = saved(tmp_path / "p", name)
    for name in ("a-a", "b-c"):
        (folder / f"{name}.npz").write_bytes(b"PK nothing")

    first, second = chart_of.draw(Model((), overlays=folder))

    assert [chart.title.rpartition(" ")[2] for chart in (first, second)] == ["b-b", "c-c"]
    assert "a-a.npz" in first.description
    assert "b-c.npz" in first.description
    assert "3 more files are not shown" in first.description
    assert "ot shown" not in second.description


def test_nineteen_networks_are_all_shown(tmp_path):
    for number in range(19):
        folder = saved(tmp_path / "p", f"net{number:02}-baseline")

    drawn = chart_of.draw(Model((), overlays=folder))

    assert len(drawn) == 19
    assert "not shown" not in drawn[0].description


def test_files_of_many_pixels_fill_a_page_of_a_few_megabytes_and_no_more(tmp_path):
    slices = np.random.default_rng(0).random((4, 900, 900))  # noise is what PNG cannot make smaller
    truth = np.zeros(slices.shape, dtype=bool)
    truth[:3, 300:600, 300:600] = True
    for number in range(6):
        folder = saved(tmp_path / "p", f"n{number}", image=slices, truth=truth, prediction=truth)

    drawn = chart_of.draw(Model((), overlays=folder))

    assert 1 <= len(drawn) < 6
    assert f"{6 - len(drawn)} more files are not shown" in drawn[0].description
    pixels = 3 * 900 * 900  # a byte each, and four characters for three bytes
    assert sum(len(str(chart.spec)) for chart in drawn) < 8_000_000 + 1.4 * pixels


def test_an_empty_folder_of_predictions_says_so(tmp_path):
    assert "no .npz file" in chart_of.draw(Model((), overlays=tmp_path))
