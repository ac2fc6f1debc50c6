"""The generated data set is what it says: reproducible, of the challenge's form, with and without brain."""

from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

import fixtures
from fixtures import phantom


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def folder(cache):
    return phantom.ensure(cache)


@pytest.fixture(scope="module")
def volumes(folder):
    """Return the masks by volume, in order of slice: {name: [(H, W), ...]}."""
    found = {}
    for path in sorted((folder / "masks").iterdir()):
        found.setdefault(path.name.split("_slice")[0], []).append(read(path))
    return found


def read(path):
    return nib.load(path).get_fdata()[..., 0]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        phantom.generate(tmp_path / name, seed=3, subjects=3, slices=2)

    one, other = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*.gz"))}
        for name in ("one", "other")
    )

    assert len(one) == 2 * 3 * 2
    assert one == other


def test_another_seed_gives_other_slices(tmp_path):
    for seed in (0, 1):
        phantom.generate(tmp_path / str(seed), seed=seed, subjects=1, slices=1)

    one, other = (
        nib.load(tmp_path / str(seed) / "images" / "T2W_vol0000_slice00.nii.gz").get_fdata()
        for seed in (0, 1)
    )

    assert not np.array_equal(one, other)


def test_a_subject_does_not_depend_on_how_many_there_are(folder, tmp_path):
    phantom.generate(tmp_path / "few", subjects=2)

    name = "images/DWI_vol0000_slice01.nii.gz"
    assert (tmp_path / "few" / name).read_bytes() == (folder / name).read_bytes()


def test_names_and_shapes_are_the_challenges(folder):
    images = {path.name: nib.load(path) for path in (folder / "images").iterdir()}

    assert len(images) == 21 * 4
    seen = {
        (name.split("_")[0], image.shape, tuple(round(float(mm), 2) for mm in image.header.get_zooms()[:2]))
        for name, image in images.items()
    }
    assert seen == {
        ("T2W", (256, 256, 1), (1.0, 1.0)),
        ("DWI", (128, 128, 1), (2.0, 2.0)),
        ("DWI", (128, 128, 1), (2.34, 2.34)),
        ("FMRI", (100, 100, 1), (3.0, 3.0)),
        ("FMRI", (128, 128, 1), (2.0, 2.0)),
    }
    assert {path.name for path in (folder / "masks").iterdir()} == {
        name.replace(".nii", "_mask.nii") for name in images
    }


def test_masks_hold_not_quite_one_so_that_a_cast_to_int_empties_them(volumes):
    values = {value for stack in volumes.values() for mask in stack for value in np.unique(mask)}

    assert len(values) == 2
    assert min(values) == 0
    assert 0.9999 < max(values) < 1


def test_a_quarter_of_the_slices_at_one_end_shows_no_brain(volumes):
    for name, stack in volumes.items():
        shown = [bool(mask.any()) for mask in stack]

        assert shown in ([True, True, True, False], [False, True, True, True]), name


def test_a_brain_is_as_large_as_a_fetal_brain(folder, volumes):
    """Largest cuts of the challenge's volumes: 25 to 78 cm²."""
    for name, stack in volumes.items():
        zooms = nib.load(folder / "masks" / f"{name}_slice00_mask.nii.gz").header.get_zooms()

        assert 20 < max((mask > 0.5).sum() for mask in stack) * zooms[0] * zooms[1] / 100 < 80, name


def test_slices_of_a_volume_cut_one_head(volumes):
    """Neighbouring cuts overlap; cuts through different heads would not."""
    for name, stack in volumes.items():
        for one, other in pairwise([mask > 0.5 for mask in stack if mask.any()]):
            assert (one & other).sum() > 0.5 * min(one.sum(), other.sum()), name


def test_grey_level_alone_does_not_find_the_brain(folder, volumes):
    """The best window of grey levels, chosen with knowledge of the mask, still marks other tissue."""
    dice = []
    for name, stack in volumes.items():
        for index, mask in enumerate(stack):
            if mask.any():
                image = read(folder / "images" / f"{name}_slice{index:02d}.nii.gz")
                low, high = np.percentile(image[mask > 0.5], [10, 90])
                window = (image >= low) & (image <= high)
                dice.append(2 * (window & (mask > 0.5)).sum() / (window.sum() + (mask > 0.5).sum()))

    assert np.mean(dice) < 0.7


@pytest.mark.parametrize(("slices", "with_brain"), [(1, 1), (2, 1), (8, 6)])
def test_any_number_of_slices_has_about_a_quarter_without_brain(tmp_path, slices, with_brain):
    phantom.generate(tmp_path, subjects=2, slices=slices)

    shown = [bool(read(path).any()) for path in (tmp_path / "masks").iterdir()]
    assert (len(shown), sum(shown)) == (2 * slices, 2 * with_brain)


def test_loading_splits_21_subjects_into_16_2_and_3(cache, folder):
    data = fixtures.load("phantom", 64, cache=cache)

    assert (data.train.images.shape, len(data.val), len(data.test)) == ((64, 1, 64, 64), 8, 12)
    assert [data.summary[part]["subjects"] for part in ("train", "val", "test")] == [16, 2, 3]
    assert {name.split("_")[0] for name in data.test.subject} == {"T2W", "DWI", "FMRI"}
    assert data.summary["reader"] == "slice_pairs"
    assert data.source == "phantom"
    assert data.train.items[0]["image"].startswith(str(folder))


def test_it_is_generated_once(cache, folder, monkeypatch):
    monkeypatch.setattr("fixtures.phantom.generate", lambda *_: pytest.fail("generated twice"))

    assert phantom.ensure(cache) == folder
