"""The cache: same data, same key and bytes; nothing read twice; nothing seen half-written."""

import gzip
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.data import CacheDataset

import fixtures
from fixtures import _cache
from tests.simulated.slices import write_nifti, write_slice_pair, write_slice_pairs

ROOT = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path):
    return write_slice_pairs(tmp_path / "data")


@pytest.fixture
def load(tmp_path):
    return lambda source, size=32, **more: fixtures.load(source, size, cache=tmp_path / "cache", **more)


def arrays(data):
    return [
        np.array(array) for part in (data.train, data.val, data.test) for array in (part.images, part.masks)
    ]


def forbid_reading(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a NIfTI file was opened")

    for name in ("fixtures._nifti.opened", "nibabel.load", "gzip.open", "gzip.GzipFile"):
        monkeypatch.setattr(name, refuse)


def test_slices_have_the_documented_types_and_shapes(root, load):
    data = load(root)

    for part in (data.train, data.val, data.test):
        assert isinstance(part.images, np.memmap)
        assert isinstance(part.masks, np.memmap)
        assert part.images.dtype == np.float32
        assert part.masks.dtype == np.uint8
        assert part.images.shape == part.masks.shape == (len(part), 1, 32, 32)
        assert len(part) == len(part.subject) == len(part.volume) == len(part.index) == len(part.items)
        assert set(np.unique(part.masks)) <= {0, 1}
    assert data.image_size == 32
    assert data.source == str(root)
    assert len(data.key) == 16
    assert int(data.key, 16) >= 0


def test_the_transform_gives_what_the_arrays_hold(root, load):
    data = load(root)

    for place, item in enumerate(data.train.items):
        read = data.transform({**item, "note": "kept"})

        assert type(read["image"]).__name__ == type(read["mask"]).__name__ == "Tensor"
        assert str(read["image"].dtype) == str(read["mask"].dtype) == "torch.float32"
        np.testing.assert_array_equal(read["image"].numpy(), data.train.images[place])
        np.testing.assert_array_equal(read["mask"].numpy(), data.train.masks[place])
        assert read["note"] == "kept"


def test_the_transform_travels_to_worker_processes(root, load):
    data = load(root)

    sent = pickle.loads(pickle.dumps(data.transform))

    np.testing.assert_array_equal(sent(data.val.items[0])["image"].numpy(), data.val.images[0])


def test_monais_cache_keeps_the_whole_transform(root, load, monkeypatch):
    data = load(root)
    cached = CacheDataset(data.train.items, data.transform, progress=False)
    forbid_reading(monkeypatch)

    for place in range(len(data.train)):
        np.testing.assert_array_equal(cached[place]["mask"].numpy(), data.train.masks[place])


def test_the_challenges_masks_of_0_99999_are_not_empty(root, load):
    data = load(root)

    with_brain = data.train.masks[np.array(data.train.index) < 2]
    assert (with_brain.sum(axis=(1, 2, 3)) == with_brain[0].sum()).all()
    assert with_brain[0].sum() == pytest.approx(np.pi * 8**2, rel=0.05)


def test_the_summary_is_json_and_counts_right(root, load):
    summary = json.loads(json.dumps(load(root).summary))

    assert summary["train"]["slices"] == 6
    assert summary["train"]["slices_with_brain"] == 4
    assert summary["train"]["volumes"] == summary["train"]["subjects"] == 2
    assert len(summary["train"]["subject_names"]) == 2
    assert summary["val"]["subjects"] == summary["test"]["subjects"] == 1
    assert summary["seed"] == 0
    assert summary["skipped"] == summary["unpaired"] == summary["notes"] == []


def test_the_second_load_opens_no_nifti_and_gives_the_same(root, load, monkeypatch):
    first = load(root)
    forbid_reading(monkeypatch)

    second = load(root)

    assert second.key == first.key
    assert second.summary == first.summary
    assert second.train.items == first.train.items
    for one, other in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_second_load_of_a_series_opens_no_nifti(tmp_path, load, monkeypatch):
    for subject in range(3):
        for base, value in ((".", 7), ("derivatives/manual-masks", 1)):
            place = tmp_path / "data" / base / f"sub-{subject}" / "func" / f"sub-{subject}_bold.nii.gz"
            write_nifti(place, np.full((8, 8, 3, 2), value, np.int16))
    first = load(tmp_path / "data")
    forbid_reading(monkeypatch)

    assert load(tmp_path / "data").key == first.key


def test_loading_leaves_the_data_folder_as_it_was(root, load):
    before = {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}

    load(root)

    assert {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))} == before


def test_writing_to_an_array_does_not_change_the_cache(root, load):
    load(root).train.images[:] = 99

    assert load(root).train.images.max() < 99


def test_the_key_is_of_the_content_not_of_the_place(root, tmp_path, load):
    moved = write_slice_pairs(tmp_path / "elsewhere" / "copied")

    assert load(moved).key == load(root).key


def test_another_compression_is_the_same_data(root, load):
    key = load(root).key
    for path in root.rglob("*.nii.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=123))

    assert load(root).key == key


@pytest.mark.parametrize("settings", [{"size": 64}, {"seed": 1}])
def test_settings_that_change_the_arrays_change_the_key(root, load, settings):
    assert load(root, **settings).key != load(root).key


def test_one_changed_pixel_changes_key_and_arrays(root, load):
    before = load(root)
    path = root / "images" / f"{before.train.volume[0]}_slice00.nii.gz"
    voxels = np.asarray(nib.load(path).dataobj).copy()
    voxels[16, 16] += 50
    write_nifti(path, voxels, (8.0, 8.0, 3.0))

    after = load(root)

    assert after.key != before.key
    assert not np.array_equal(after.train.images[0], before.train.images[0])


def test_a_mask_that_moves_to_another_image_changes_the_key(root, load):
    before = load(root).key
    one, other = (root / "masks" / f"T2W_vol0000_slice{index:02d}_mask.nii.gz" for index in (0, 2))
    content = one.read_bytes(), other.read_bytes()

    one.write_bytes(content[1])
    other.write_bytes(content[0])

    assert load(root).key != before


def test_an_added_slice_is_seen(root, load):
    before = load(root)
    write_slice_pair(root, "T2W_vol0009_slice00")

    after = load(root)

    assert after.key != before.key
    assert sum(after.summary[part]["slices"] for part in ("train", "val", "test")) == 13


def test_a_damaged_index_is_read_again_not_trusted(root, tmp_path, load):
    key = load(root).key
    (index,) = (tmp_path / "cache" / "index").iterdir()
    index.write_text("{half of a li")

    assert load(root).key == key


def _load_in_a_process(source, cache, gate, keys):
    gate.wait()
    keys.put(fixtures.load(source, 32, cache=cache).key)


def test_two_processes_that_start_at_once_get_the_same(root, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    gate, keys = spawn.Barrier(2), spawn.Queue()
    workers = [
        spawn.Process(target=_load_in_a_process, args=(root, tmp_path / "cache", gate, keys))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert keys.get() == keys.get()
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_who_comes_second_keeps_what_the_first_built(tmp_path):
    target = tmp_path / "built"

    with _cache.build_folder(target) as mine:
        (mine / "who").write_text("second")
        with _cache.build_folder(target) as theirs:
            (theirs / "who").write_text("first")

    assert (target / "who").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_build_leaves_nothing(tmp_path):
    def build():
        with _cache.build_folder(tmp_path / "built") as scratch:
            (scratch / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    old, new = tmp_path / ".old.123.tmp", tmp_path / ".new.456.tmp"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 2 * 86400,) * 2)

    with _cache.build_folder(tmp_path / "built"):
        pass

    assert not old.exists()
    assert new.exists()


def test_the_users_cache_folder_is_used_unless_another_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)

    assert _cache.home(None) == tmp_path / "joulebench"
    assert _cache.home(tmp_path / "mine") == tmp_path / "mine"


def test_loading_prints_nothing(root, tmp_path):
    script = (
        "import fixtures, torch\n"
        f"data = fixtures.load({str(root)!r}, 32, cache={str(tmp_path / 'cache')!r})\n"
        "torch.from_numpy(data.train.images[:2]); data.transform(data.train.items[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always::UserWarning:__main__", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
