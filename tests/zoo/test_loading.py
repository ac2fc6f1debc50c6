"""From files to batches: caching, workers and augmentation do what they say, and only that."""

import multiprocessing
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose

import zoo
from tests.simulated.tiny_slices import KEYS, discs, slices, split
from zoo.feeding import loaders

SIZE = 33  # odd, so that a middle pixel exists and a rotation keeps it


def recipe(technique: str = "baseline", **changes) -> zoo.Recipe:
    return replace(zoo.recipe("unet", technique, batch_size=4, threads=1), **changes)


def one_slice(folder: Path, mask: np.ndarray, scan: np.ndarray | None = None):
    """Make a data set whose training slice is `scan`, or shows its own mask as image."""
    data = slices(folder, train=2, val=1, test=1)
    images, masks = (np.stack([pixels, pixels])[:, None] for pixels in (mask if scan is None else scan, mask))
    return replace(data, train=split(folder, "own", images.astype(np.float32), masks.astype(np.uint8)))


def draws(data, wanted: zoo.Recipe, number: int) -> list[dict[str, torch.Tensor]]:
    """Draw the first training slice several times, after the augmentation's own seed."""
    dataset, _, _ = loaders.datasets(wanted, data)
    loaders.train_loader(dataset, wanted, seed=0)
    return [dataset[0] for _ in range(number)]


def corner() -> np.ndarray:
    """Draw an L, which no mirror and no rotation leaves as it is."""
    mask = np.zeros((SIZE, SIZE))
    mask[4:20, 4:8] = mask[4:8, 4:14] = 1
    return mask


def direction_degrees(mask: torch.Tensor) -> float:
    """Measure where the mask lies, seen from the middle: 0 at the right, 90 at the top."""
    y, x = np.nonzero(mask[0].numpy())
    return float(np.degrees(np.arctan2(SIZE // 2 - y.mean(), x.mean() - SIZE // 2)))


def dot_at_the_right() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE))
    mask[15:18, 27:30] = 1
    return mask


def test_a_cache_reads_no_file_after_it_was_filled(tmp_path):
    data = slices(tmp_path)
    train, val, told = loaders.datasets(recipe("cache"), data)
    expected = loaders.datasets(recipe(), data)[0][3]
    shutil.rmtree(tmp_path)

    assert torch.equal(train[3]["image"], expected["image"])
    assert torch.equal(val[0]["mask"], torch.from_numpy(data.val.masks[0]).float())
    assert (told["from"], told["slices"]) == ("cache", 12)


def test_the_disk_is_read_every_time(tmp_path):
    data = slices(tmp_path)
    train, _, told = loaders.datasets(recipe(), data)
    train[0]
    Path(data.train.items[0]["image"]).unlink()

    assert told == {"from": "disk"}
    with pytest.raises(RuntimeError):
        train[0]


def test_a_cache_is_not_filled_halfway_in_silence(data):
    """MONAI's CacheDataset would stop at a plain function and read every file again in each epoch."""
    plain = replace(data, transform=Compose([lambda item: item, *data.transform.transforms]))

    with pytest.raises(ValueError, match=r"step 1 of the data's transform, function, is random or no MONAI"):
        loaders.datasets(recipe("cache"), plain)


def test_what_is_loaded_is_what_the_arrays_hold(data):
    loader = loaders.val_loader(loaders.datasets(recipe(), data)[1], recipe(), seed=0)
    with loaders.batches(loader, "cpu") as batches:
        image, mask = next(batches)

    assert type(image) is torch.Tensor  # not MONAI's, which carries its history along
    torch.testing.assert_close(image, torch.from_numpy(data.val.images))
    torch.testing.assert_close(mask, torch.from_numpy(data.val.masks).float())


@pytest.mark.parametrize(("number", "used"), [(9, 8), (10, 10), (8, 8), (5, 4)])
def test_a_batch_of_one_slice_is_left_out_and_no_other(tmp_path, number, used):
    data = slices(tmp_path, train=number)
    loader = loaders.train_loader(loaders.datasets(recipe(), data)[0], recipe(), seed=0)

    sizes = [len(batch["image"]) for batch in loader]

    assert sum(sizes) == used
    assert min(sizes) > 1


def test_the_order_depends_on_the_seed_and_not_on_who_loads(data):
    def order(seed, **changes):
        wanted = recipe(**changes)
        loader = loaders.train_loader(loaders.datasets(wanted, data)[0], wanted, seed)
        with loaders.closing(loader):
            return torch.cat([batch["image"] for _ in range(2) for batch in loader])

    expected = order(0)

    assert torch.equal(order(0, loading="cache"), expected)
    assert torch.equal(order(0, workers=2), expected)
    assert torch.equal(order(0, workers=2, persistent_workers=True), expected)
    assert not torch.equal(order(1), expected)


def test_the_recipe_s_workers_load(data):
    wanted = recipe(workers=3, prefetch=2, persistent_workers=True)
    loader = loaders.val_loader(loaders.datasets(wanted, data)[1], wanted, seed=0)
    before = len(multiprocessing.active_children())
    with loaders.closing(loader), loaders.batches(loader, "cpu") as batches:
        next(batches)
        during = len(multiprocessing.active_children())

    assert during - before == 3
    assert len(multiprocessing.active_children()) == before


def test_starting_workers_beside_threads_is_silent_on_python_3_12(data, monkeypatch):
    text = "This process (pid=7) is multi-threaded, use of fork() may lead to deadlocks in the child."

    def fork(loader):
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return iter(())

    monkeypatch.setattr(loaders.DataLoader, "__iter__", fork)
    loader = loaders.val_loader(loaders.datasets(recipe(), data)[1], recipe(), seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert list(loader) == []


def test_workers_end_with_a_pass_that_fails(data):
    wanted = recipe(workers=2)
    loader = loaders.val_loader(loaders.datasets(wanted, data)[1], wanted, seed=0)
    before = len(multiprocessing.active_children())

    with pytest.raises(KeyError), loaders.batches(loader, "cpu") as kept:
        raise KeyError("in the middle of a pass")

    assert len(multiprocessing.active_children()) == before
    assert kept is not None  # nobody has let go of the iterator


def test_a_mirror_image_is_along_one_axis_for_image_and_mask(tmp_path):
    """Both axes together would be a rotation by 180 degrees."""
    data = one_slice(tmp_path, corner())
    wanted = recipe("augment", rotation_probability=0.0, flip_probability=1.0)

    [item] = draws(data, wanted, 1)

    for key in KEYS:
        assert np.array_equal(item[key][0].numpy(), corner()[::-1])


def test_some_slices_are_mirrored_and_some_are_not(tmp_path):
    data = one_slice(tmp_path, corner())
    items = draws(data, recipe("augment", rotation_probability=0.0), 100)
    mirrored = sum(np.array_equal(item["mask"][0].numpy(), corner()[::-1]) for item in items)

    assert 15 <= mirrored <= 45  # 30 expected, 4.6 standard deviation


@pytest.mark.parametrize("limit", [10.0, 90.0])
def test_rotations_stay_within_their_degrees_and_use_them(tmp_path, limit):
    """The study's code passed degrees for radians, which gives any angle."""
    data = one_slice(tmp_path, dot_at_the_right())
    wanted = recipe("augment", rotation_degrees=limit, rotation_probability=1.0, flip_probability=0.0)

    angles = [direction_degrees(item["mask"]) for item in draws(data, wanted, 60)]

    pixel = 3.0  # degrees that the middle of a dot of 9 pixels may be off
    assert max(map(abs, angles)) <= limit + pixel
    assert max(angles) > 0.7 * limit
    assert min(angles) < -0.7 * limit


def test_what_a_rotation_uncovers_is_air_and_not_mean_tissue(tmp_path):
    """The corners of a square image that is turned by about 45 degrees lie outside of it."""
    scan = np.full((SIZE, SIZE), 2.0, dtype=np.float32)
    scan[SIZE // 2, SIZE // 2] = -1.5  # the darkest value: air
    data = one_slice(tmp_path, corner(), scan)
    wanted = recipe("augment", rotation_degrees=60.0, rotation_probability=1.0, flip_probability=0.0)
    corners = [item["image"][0, 0, 0].item() for item in draws(data, wanted, 40)]

    assert min(corners) == pytest.approx(-1.5)
    assert all(-1.5 <= value <= 2.0 + 1e-5 for value in corners)


def test_rotated_masks_stay_binary_and_keep_their_area(tmp_path):
    _, masks = discs(np.random.default_rng(1), 1, SIZE)
    data = one_slice(tmp_path, masks[0, 0])
    wanted = recipe("augment", rotation_probability=1.0)

    for item in draws(data, wanted, 40):
        assert set(item["mask"].unique().tolist()) == {0.0, 1.0}
        assert item["mask"].sum().item() == pytest.approx(masks.sum(), rel=0.1)


def test_image_and_mask_are_turned_together(tmp_path):
    data = one_slice(tmp_path, corner())
    items = draws(data, recipe("augment", rotation_probability=1.0), 40)
    agreement = [((item["image"] > 0.5) == (item["mask"] > 0.5)).float().mean().item() for item in items]

    assert min(agreement) > 0.97


def test_a_cache_stays_random_where_the_augmentation_is(tmp_path):
    data = one_slice(tmp_path, corner())
    items = draws(data, recipe("augment+cache", rotation_probability=1.0), 2)

    assert not torch.equal(items[0]["image"], items[1]["image"])


@pytest.mark.parametrize("technique", ["augment", "augment+cache"])
def test_validation_slices_are_never_augmented(data, technique):
    _, val, _ = loaders.datasets(recipe(technique, rotation_probability=1.0, flip_probability=1.0), data)

    torch.testing.assert_close(val[0]["image"], torch.from_numpy(data.val.images[0]))


def test_augmented_slices_are_plain_tensors(tmp_path):
    [item] = draws(one_slice(tmp_path, corner()), recipe("augment"), 1)

    assert [(type(item[key]), item[key].dtype) for key in KEYS] == [(torch.Tensor, torch.float32)] * 2
