"""Three layouts on disk, one result: which slices, of which subject, in which files."""

import tracemalloc

import nibabel as nib
import numpy as np
import pytest

import fixtures
from fixtures import DataError, _cut, readers
from tests.simulated.slices import disc, volume, write_nifti, write_slice_pair, write_slice_pairs


@pytest.fixture
def load(tmp_path):
    return lambda source, **more: fixtures.load(source, 32, cache=tmp_path / "cache", **more)


def parts(data):
    return data.train, data.val, data.test


def everything(data, field):
    return [value for part in parts(data) for value in getattr(part, field)]


def write_series(root, place, times=2, with_mask=True, with_series=True, seed=0):
    """Write a 4-D series (16, 16, 5, times) whose volumes differ, and a mask that differs alike."""
    images, masks = zip(*(volume(seed=seed + time) for time in range(times)), strict=True)
    shift = [np.roll(mask, time, axis=0) for time, mask in enumerate(masks)]
    if with_series:
        write_nifti(root / place, np.stack(images, axis=-1), (8.0, 8.0, 8.0))
    if with_mask:
        write_nifti(root / "derivatives" / "manual-masks" / place, np.stack(shift, axis=-1), (8.0, 8.0, 8.0))


@pytest.fixture
def bids(tmp_path):
    root = tmp_path / "ds"
    for subject in ("01", "02", "03"):
        place = f"sub-{subject}/ses-1/func/sub-{subject}_ses-1_task-rest_bold.nii.gz"
        write_series(root, place, seed=10 * int(subject))
    return root


def test_slice_pairs_are_listed_by_volume_and_slice(tmp_path, load):
    data = load(write_slice_pairs(tmp_path / "data", subjects=5, slices=3))

    assert data.summary["reader"] == "slice_pairs"
    for part in parts(data):
        assert list(zip(part.volume, part.index, strict=True)) == sorted(
            zip(part.volume, part.index, strict=True)
        )
        assert part.subject == part.volume
        for item, name, index in zip(part.items, part.volume, part.index, strict=True):
            assert item["image"].endswith(f"images/{name}_slice{index:02d}.nii.gz")
            assert item["mask"].endswith(f"masks/{name}_slice{index:02d}_mask.nii.gz")
    assert sorted(set(everything(data, "subject"))) == [f"T2W_vol000{number}" for number in range(5)]


def test_the_challenges_two_folders_are_pooled_and_that_is_said(tmp_path, load):
    write_slice_pairs(tmp_path / "data" / "train_slice", subjects=3)
    for subject in (7, 8):
        write_slice_pair(tmp_path / "data" / "validation_slice", f"DWI_vol{subject:04d}_slice00")

    data = load(tmp_path / "data")

    assert len(everything(data, "volume")) == 3 * 3 + 2
    assert data.summary["notes"] == ["pooled and split anew: train_slice, validation_slice"]


def test_one_name_in_two_folders_is_one_subject_of_two_volumes(tmp_path, load):
    """Were they one fetus, one half must not be tested on what the other half taught."""
    write_slice_pairs(tmp_path / "data" / "train_slice", subjects=3)
    write_slice_pair(tmp_path / "data" / "validation_slice", "T2W_vol0001_slice00")

    data = load(tmp_path / "data")

    pairs = set(zip(everything(data, "subject"), everything(data, "volume"), strict=True))
    assert ("T2W_vol0001", "train_slice/T2W_vol0001") in pairs
    assert ("T2W_vol0001", "validation_slice/T2W_vol0001") in pairs
    assert sum("T2W_vol0001" in part.subject for part in parts(data)) == 1


def test_files_that_are_no_images_do_not_disturb(tmp_path, load):
    root = write_slice_pairs(tmp_path / "data")
    (root / "images" / "._T2W_vol0000_slice00.nii.gz").write_bytes(b"left by a copying program")
    (root / "images" / "README.txt").write_text("about these slices")

    assert len(everything(load(root), "volume")) == 12


def test_each_volume_of_a_bids_series_is_a_volume(bids, load):
    data = load(bids)

    assert data.summary["reader"] == "bids"
    assert len(everything(data, "volume")) == 3 * 2 * 5
    assert set(everything(data, "subject")) == {"sub-01", "sub-02", "sub-03"}
    assert "sub-02_ses-1_task-rest_bold_vol0001" in everything(data, "volume")


def test_a_slice_of_a_series_holds_what_nibabel_finds_there(bids, load):
    data = load(bids)
    series = nib.load(bids / "sub-02/ses-1/func/sub-02_ses-1_task-rest_bold.nii.gz")
    masks = nib.load(bids / "derivatives/manual-masks/sub-02/ses-1/func/sub-02_ses-1_task-rest_bold.nii.gz")
    (item,) = (
        part.items[place]
        for part in parts(data)
        for place in range(len(part))
        if (part.volume[place], part.index[place]) == ("sub-02_ses-1_task-rest_bold_vol0001", 3)
    )

    image, mask = nib.load(item["image"]), nib.load(item["mask"])

    assert image.shape == (16, 16, 1)
    assert image.header.get_zooms() == (8.0, 8.0, 8.0)
    np.testing.assert_array_equal(image.get_fdata()[..., 0], series.get_fdata()[..., 3, 1])
    np.testing.assert_array_equal(mask.get_fdata()[..., 0], masks.get_fdata()[..., 3, 1])


def test_scaled_integers_are_unscaled_when_cut(tmp_path):
    path = tmp_path / "scaled.nii.gz"
    voxels = np.random.default_rng(0).normal(300, 40, (6, 5, 4, 3))
    image = nib.Nifti1Image(voxels, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, path)

    cut = np.stack(list(fixtures._nifti.volumes(str(path))), axis=-1)

    np.testing.assert_allclose(cut, nib.load(path).get_fdata(), rtol=1e-6)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_kind_of_nifti_reads_as_nibabel_reads_it(tmp_path, kind, endian, suffix):
    path = tmp_path / f"slice{suffix}"
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(np.int16)
    image = kind(np.arange(42, dtype=np.int16).reshape(6, 7, 1), np.diag((2.0, 3.0, 4.0, 1.0)), header)
    nib.save(image, path)

    pixels, spacing_mm, _ = fixtures._nifti.read_slice(str(path))

    np.testing.assert_array_equal(pixels, nib.load(path).get_fdata()[..., 0])
    assert spacing_mm == (2.0, 3.0)


def test_a_3d_bids_file_is_a_series_of_one_and_sessions_are_optional(bids, load):
    image, mask = volume()
    place = "sub-04/func/sub-04_task-rest_bold.nii.gz"
    write_nifti(bids / place, image)
    write_nifti(bids / "derivatives" / "manual-masks" / place, mask)

    assert "sub-04_task-rest_bold_vol0000" in everything(load(bids), "volume")


def test_unpaired_bids_files_are_left_out_and_listed(bids, load):
    write_series(bids, "sub-05/func/sub-05_task-rest_bold.nii.gz", with_mask=False)
    write_series(bids, "sub-06/func/sub-06_task-rest_bold.nii.gz", with_series=False)

    data = load(bids)

    assert data.summary["unpaired"] == [
        "sub-05/func/sub-05_task-rest_bold.nii.gz",
        "derivatives/manual-masks/sub-06/func/sub-06_task-rest_bold.nii.gz",
    ]
    assert not {"sub-05", "sub-06"} & set(everything(data, "subject"))


def test_when_no_series_has_a_mask_the_first_is_named_with_what_was_expected(tmp_path, load):
    root = tmp_path / "ds"
    write_series(root, "sub-01/func/sub-01_task-rest_bold.nii.gz", with_mask=False)
    write_series(root, "sub-02/func/sub-02_other_bold.nii.gz", with_series=False)

    with pytest.raises(
        DataError, match=r"none of the 1 series.*manual-masks/sub-01/func/sub-01_task-rest_bold"
    ):
        load(root)


def test_sessions_whose_files_have_the_same_name_stay_two_volumes(bids, load):
    for session in ("a", "b"):
        write_series(bids, f"sub-04/ses-{session}/func/sub-04_task-rest_bold.nii.gz", times=1)

    volumes = {name for name in everything(load(bids), "volume") if "sub-04" in name}

    assert len(volumes) == 2


def test_a_series_that_is_there_twice_is_refused(bids, load):
    image, _ = volume()
    twice = bids / "sub-01/ses-1/func/sub-01_ses-1_task-rest_bold.nii"
    write_nifti(twice, image)

    with pytest.raises(DataError, match=r"bold\.nii and .*bold\.nii\.gz are two files of one series"):
        load(bids)


def test_a_series_longer_than_its_mask_is_refused(bids, load):
    place = "sub-01/ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz"
    write_series(bids, place, times=3, with_mask=False)

    with pytest.raises(DataError, match=r"\(16, 16, 5, 3\) but its mask .* has \(16, 16, 5, 2\)"):
        load(bids)


def test_cutting_holds_one_volume_at_a_time(tmp_path):
    path = tmp_path / "long.nii.gz"
    write_nifti(path, np.zeros((64, 64, 20, 40), np.int16))
    volumes = fixtures._nifti.volumes(str(path))

    tracemalloc.start()
    count = sum(1 for _ in volumes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 40
    assert peak < 6 * 64 * 64 * 20 * 4  # a few float32 volumes, not forty


def test_volumes_side_by_side_are_cut(tmp_path, load):
    for number, mask_name in enumerate(["a_mask", "b", "sub-9_run-1_mask", "sub-9_run-2_mask", "c_mask"]):
        image, mask = volume(seed=number)
        write_nifti(tmp_path / "data" / "images" / f"{mask_name.removesuffix('_mask')}.nii.gz", image)
        write_nifti(tmp_path / "data" / "masks" / f"{mask_name}.nii.gz", mask)

    data = load(tmp_path / "data")

    assert data.summary["reader"] == "volumes"
    assert set(everything(data, "subject")) == {"a", "b", "c", "sub-9"}
    assert set(everything(data, "volume")) == {"a", "b", "c", "sub-9_run-1", "sub-9_run-2"}
    assert len(everything(data, "index")) == 5 * 5


def test_volumes_in_a_folder_per_subject_are_cut(tmp_path, load):
    names = [("image", "mask"), ("t2_image", "t2_mask"), ("t2", "t2_mask")]
    for subject, (image_name, mask_name) in zip("xyz", names, strict=True):
        image, mask = volume(seed=ord(subject))
        write_nifti(tmp_path / "data" / subject / f"{image_name}.nii.gz", image)
        write_nifti(tmp_path / "data" / subject / f"{mask_name}.nii.gz", mask)

    data = load(tmp_path / "data")

    assert set(everything(data, "subject")) == {"x", "y", "z"}
    assert set(everything(data, "volume")) == {"x", "y_t2", "z_t2"}


@pytest.mark.parametrize("missing", ["image", "mask"])
def test_a_volume_without_partner_is_named(tmp_path, load, missing):
    for subject in "wxyz":
        image, mask = volume()
        write_nifti(tmp_path / "data" / subject / "image.nii.gz", image)
        write_nifti(tmp_path / "data" / subject / "mask.nii.gz", mask)
    (tmp_path / "data" / "x" / f"{missing}.nii.gz").unlink()

    with pytest.raises(DataError, match=rf"data/x/\w+.nii.gz has no {missing}"):
        load(tmp_path / "data")


def test_two_files_for_one_name_are_both_named(tmp_path, load):
    root = write_slice_pairs(tmp_path / "data")
    write_nifti(root / "images" / "T2W_vol0000_slice00.nii", disc()[..., None])

    with pytest.raises(DataError, match="are two files for 'T2W_vol0000_slice00'"):
        load(root)


def test_single_slices_are_no_volumes(tmp_path, load):
    for subject in range(3):
        write_nifti(tmp_path / "data" / "images" / f"p{subject}.nii.gz", disc()[..., None])
        write_nifti(tmp_path / "data" / "masks" / f"p{subject}_mask.nii.gz", disc()[..., None])

    with pytest.raises(
        DataError, match=r"p0.nii.gz has shape \(32, 32, 1\), expected a volume of several slices"
    ):
        load(tmp_path / "data")


def test_a_volume_with_slice_in_its_name_is_still_a_volume(tmp_path, load):
    for subject in range(3):
        image, mask = volume(seed=subject)
        write_nifti(tmp_path / "ds" / "images" / f"sub-{subject}_slicethick4.nii.gz", image)
        write_nifti(tmp_path / "ds" / "masks" / f"sub-{subject}_slicethick4_mask.nii.gz", mask)

    assert load(tmp_path / "ds").summary["reader"] == "volumes"


def test_a_4d_file_is_no_volume(tmp_path, load):
    for subject in range(3):
        for kind, ending in (("images", ""), ("masks", "_mask")):
            write_nifti(
                tmp_path / "data" / kind / f"p{subject}{ending}.nii.gz", np.ones((8, 8, 4, 2), np.uint8)
            )

    with pytest.raises(DataError, match=r"p0.nii.gz has shape \(8, 8, 4, 2\), expected one 3-D volume"):
        load(tmp_path / "data")


@pytest.mark.parametrize(
    ("spacing_mm", "axis"),
    [((1, 1, 3), 2), ((3, 1, 1), 0), ((1, 4, 1), 1), ((2, 2, 2), 2), ((3.0, 2.99, 1.0), 1)],
)
def test_the_slice_axis_has_the_thickest_voxels(spacing_mm, axis):
    assert _cut.slice_axis(spacing_mm) == axis


def test_a_sagittal_volume_is_cut_across_its_thick_axis(tmp_path, load):
    for subject in range(3):
        image, mask = volume(seed=subject)
        spacing_mm = (6.0, 2.0, 2.0)
        write_nifti(tmp_path / "data" / "images" / f"p{subject}.nii.gz", np.moveaxis(image, 2, 0), spacing_mm)
        write_nifti(tmp_path / "data" / "masks" / f"p{subject}.nii.gz", np.moveaxis(mask, 2, 0), spacing_mm)

    item = load(tmp_path / "data").train.items[0]

    assert nib.load(item["image"]).shape == (16, 16, 1)
    assert nib.load(item["image"]).header.get_zooms() == (2.0, 2.0, 6.0)


def test_a_reader_is_found_by_the_name_of_its_file():
    assert {"bids", "slice_pairs", "volumes"} <= set(readers.names())


@pytest.mark.parametrize("name", readers.names())
def test_every_reader_says_its_layout_and_declines_an_empty_folder(name, tmp_path):
    assert readers.get(name).LAYOUT
    assert not readers.get(name).recognises(tmp_path)


def test_a_misspelt_reader_gets_the_nearest_name():
    with pytest.raises(DataError, match="no reader 'slice_pair'; did you mean slice_pairs"):
        readers.get("slice_pair")
