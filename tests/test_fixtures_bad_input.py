"""What is wrong with a data set is said in one message that names the file or value; nothing is guessed."""

import gzip

import nibabel as nib
import numpy as np
import pytest

import fixtures
from fixtures import DataError
from tests.simulated.slices import disc, volume, write_nifti, write_slice_pair, write_slice_pairs


@pytest.fixture
def root(tmp_path):
    return write_slice_pairs(tmp_path / "data")


@pytest.fixture
def load(tmp_path):
    return lambda source, **more: fixtures.load(source, 32, cache=tmp_path / "cache", **more)


IMAGE, MASK = "images/T2W_vol0001_slice01.nii.gz", "masks/T2W_vol0001_slice01_mask.nii.gz"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def truncate_inside(path):
    """Write a whole gzip file of half a NIfTI."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-40]))


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF  # in the checksum
    path.write_bytes(data)


def break_link(path):
    path.unlink()
    path.symlink_to("../.git/annex/objects/XX/yy/SHA256E-s123--abc.nii.gz/SHA256E-s123--abc.nii.gz")


def annex_pointer(path):
    path.write_text("/annex/objects/SHA256E-s123--abc.nii.gz\n")


def no_nifti(path):
    path.write_bytes(gzip.compress(b"these are not the voxels you are looking for" * 20))


def empty(path):
    path.write_bytes(b"")


def put_nan(path):
    voxels = np.ones((32, 32, 1), np.float32)
    voxels[3, 3] = np.nan
    write_nifti(path, voxels)


def put_two_slices(path):
    write_nifti(path, np.ones((32, 32, 2), np.int16))


def put_colours(path):
    colours = np.zeros((32, 32, 1), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, np.eye(4)), path)


def put_zero_spacing(path):
    header = bytearray(gzip.decompress(path.read_bytes()))
    header[80:84] = bytes(4)  # pixdim[1]
    path.write_bytes(gzip.compress(header))


BROKEN = {
    truncate: "truncated or damaged",
    truncate_inside: "ends early",
    flip_a_byte: "truncated or damaged",
    break_link: "a link to a file that is not here.*datalad get",
    annex_pointer: "a pointer to data that is not here.*datalad get",
    no_nifti: "is no NIfTI file",
    empty: "is no NIfTI file",
    put_nan: "holds NaN",
    put_colours: "expected one real number per voxel",
    put_two_slices: "shape 32 x 32 x 2, expected one slice",
    put_zero_spacing: r"voxels of \(0.0, 8.0, 3.0\) mm",
}


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_a_broken_image_is_named(root, load, spoil, capfd):
    spoil(root / IMAGE)

    with pytest.raises(DataError, match=f"T2W_vol0001_slice01.nii.gz.*{BROKEN[spoil]}"):
        load(root)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("spoil", [truncate, break_link, annex_pointer, put_two_slices])
def test_a_broken_mask_is_named(root, load, spoil):
    spoil(root / MASK)

    with pytest.raises(DataError, match=f"T2W_vol0001_slice01_mask.nii.gz.*{BROKEN[spoil]}"):
        load(root)


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_a_broken_image_can_be_skipped_and_is_listed(root, load, spoil):
    spoil(root / IMAGE)

    data = load(root, skip_bad=True)

    (skipped,) = data.summary["skipped"]
    assert skipped["file"] == IMAGE
    assert "T2W_vol0001_slice01" in skipped["reason"]
    assert len(data.train) + len(data.val) + len(data.test) == 4 * 3 - 1


def test_a_mask_of_three_labels_is_refused(root, load):
    labels = disc()[..., None].astype(np.float32)
    labels[0, :3] = 2
    write_nifti(root / MASK, labels)

    with pytest.raises(DataError, match=r"T2W_vol0001_slice01_mask.nii.gz holds 2 beside 0 and 1"):
        load(root)


def test_a_mask_of_0_and_255_is_refused_rather_than_guessed(root, load):
    write_nifti(root / MASK, 255 * disc()[..., None])

    with pytest.raises(DataError, match=r"holds 255 beside 0 and 1.*write 0 for background and 1 for brain"):
        load(root)


def test_nan_in_a_mask_is_refused(root, load):
    put_nan(root / MASK)

    with pytest.raises(DataError, match=r"mask.nii.gz holds nan beside 0 and 1"):
        load(root)


def test_an_image_and_a_mask_of_different_shapes_are_both_named(root, load):
    write_nifti(root / MASK, disc(16)[..., None])

    with pytest.raises(
        DataError, match=r"slice01.nii.gz has shape \(32, 32\) but .*_mask.nii.gz has \(16, 16\)"
    ):
        load(root)


def test_an_image_without_mask_is_named(root, load):
    (root / MASK).unlink()

    with pytest.raises(DataError, match=r"T2W_vol0001_slice01.nii.gz has no mask"):
        load(root)
    assert load(root, skip_bad=True).summary["skipped"][0]["file"] == IMAGE


def test_a_mask_without_image_is_named(root, load):
    (root / IMAGE).unlink()

    with pytest.raises(DataError, match=r"T2W_vol0001_slice01_mask.nii.gz has no image"):
        load(root)
    assert load(root, skip_bad=True).summary["skipped"][0]["file"] == MASK


def test_a_name_without_volume_and_slice_is_refused(root, load):
    write_slice_pair(root, "scan_slice")

    with pytest.raises(DataError, match=r"scan_slice.nii.gz: expected a name like T2W_vol0003_slice02"):
        load(root)


def test_masks_that_are_all_empty_are_refused(tmp_path, load):
    for subject in range(3):
        write_slice_pair(tmp_path / "data", f"T2W_vol{subject:04d}_slice00", brain=False)

    with pytest.raises(DataError, match=r"all 3 masks of .*data are empty"):
        load(tmp_path / "data")


def test_two_subjects_are_too_few(tmp_path, load):
    write_slice_pairs(tmp_path / "data", subjects=2)

    with pytest.raises(DataError, match=r"2 subject.*T2W_vol0000.*expected at least 3"):
        load(tmp_path / "data")


def test_a_path_that_does_not_exist_is_named(load, tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("word", ["phantm", "Phantom", "fantom"])
def test_a_misspelt_source_gets_the_nearest_name(load, word):
    with pytest.raises(DataError, match=f"{word} does not exist.*Did you mean 'phantom'"):
        load(word)


def test_a_file_is_no_data_set(root, load):
    with pytest.raises(DataError, match="is a file, expected a folder"):
        load(root / IMAGE)


def test_an_empty_folder_is_told_the_three_layouts(tmp_path, load):
    (tmp_path / "nothing").mkdir()

    with pytest.raises(DataError, match=r"(?s)nothing is empty.*bids: .*slice_pairs: .*volumes: "):
        load(tmp_path / "nothing")


def test_a_folder_of_something_else_is_told_the_three_layouts(tmp_path, load):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")

    with pytest.raises(DataError, match=r"(?s)photos has no layout.*bids: .*slice_pairs: .*volumes: "):
        load(tmp_path / "photos")


def test_when_every_file_is_bad_that_is_said(root, load):
    for path in (root / "images").iterdir():
        truncate(path)

    with pytest.raises(DataError, match=r"holds no usable slice; 12 bad file\(s\) were skipped"):
        load(root, skip_bad=True)


def test_bad_input_leaves_nothing_behind(root, tmp_path, load):
    before = sorted(root.rglob("*"))
    truncate(root / IMAGE)

    with pytest.raises(DataError):
        load(root)
    assert sorted(root.rglob("*")) == before
    assert not list((tmp_path / "cache").glob("*/*"))


def test_a_repaired_file_is_seen(root, load):
    good = (root / IMAGE).read_bytes()
    truncate(root / IMAGE)
    with pytest.raises(DataError):
        load(root)

    (root / IMAGE).write_bytes(good)

    assert load(root).summary["skipped"] == []


def test_a_cache_that_cannot_be_written_is_named(root, tmp_path):
    (tmp_path / "occupied").write_text("a file where the cache should be")

    with pytest.raises(
        DataError, match=r"cannot write .* to the cache folder .*occupied.*choose another folder"
    ):
        fixtures.load(root, 32, cache=tmp_path / "occupied")


def test_a_full_disk_leaves_no_half_written_arrays(root, tmp_path, monkeypatch):
    def full(stream):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fixtures._cache.sync", full)

    with pytest.raises(DataError, match=r"No space left on device.*Free space"):
        fixtures.load(root, 32, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "arrays").iterdir())


@pytest.mark.parametrize("image_size", [0, 8, -64])
def test_a_wrong_image_size_is_refused_before_anything_is_read(load, image_size, tmp_path):
    with pytest.raises(DataError, match=f"image size {image_size}: expected a whole number of 16 or more"):
        fixtures.load(tmp_path / "nowhere", image_size)


def put_nan_in_a_volume(path):
    voxels = np.ones((16, 16, 5), np.float32)
    voxels[3, 3, 4] = np.nan
    write_nifti(path, voxels)


BROKEN_VOLUME = {
    truncate: "truncated or damaged",
    truncate_inside: "ends early",
    annex_pointer: "datalad get",
    empty: "is no NIfTI file",
    put_nan_in_a_volume: "holds NaN",
}


@pytest.mark.parametrize("spoil", BROKEN_VOLUME, ids=lambda spoil: spoil.__name__)
def test_a_broken_volume_is_named_and_leaves_no_slices(tmp_path, load, spoil):
    for subject in range(4):
        image, mask = volume(seed=subject)
        write_nifti(tmp_path / "data" / "images" / f"p{subject}.nii.gz", image)
        write_nifti(tmp_path / "data" / "masks" / f"p{subject}_mask.nii.gz", mask)
    spoil(tmp_path / "data" / "images" / "p1.nii.gz")

    with pytest.raises(DataError, match=f"images/p1.nii.gz.*{BROKEN_VOLUME[spoil]}"):
        load(tmp_path / "data")
    assert not [path for path in (tmp_path / "cache").rglob("*") if "p1" in path.name]
    (skipped,) = load(tmp_path / "data", skip_bad=True).summary["skipped"]
    assert skipped["file"] == "images/p1.nii.gz"
