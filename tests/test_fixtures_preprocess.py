"""Preprocessing against areas known in mm², scipy's resampler and hand calculation."""

import numpy as np
import pytest
from scipy import ndimage

from fixtures import DataError, preprocess

# Matrix and pixel size of the challenge's scanners: fields of view of 256, 256, 300, 300 and 256 mm.
SCANNERS = [(256, 1.0), (128, 2.0), (128, 2.34375), (100, 3.0), (128, 2.0)]
SIZES = [256, 128, 64]


def disc_of(count: int, spacing_mm: float, radius_mm: float) -> np.ndarray:
    line = (np.arange(count) - (count - 1) / 2) * spacing_mm
    return (np.hypot(*np.meshgrid(line, line)) < radius_mm).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "spacing_mm"), SCANNERS)
def test_a_disc_keeps_its_area_in_square_millimetres(count, spacing_mm, size):
    disc = disc_of(count, spacing_mm, radius_mm=40)

    mask = preprocess.mask(disc * 0.99999, (spacing_mm, spacing_mm), size)

    assert mask.sum() * (256 / size) ** 2 == pytest.approx(np.pi * 40**2, rel=0.04)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "spacing_mm"), SCANNERS)
def test_an_image_keeps_its_brightness_per_square_millimetre(count, spacing_mm, size):
    disc = disc_of(count, spacing_mm, radius_mm=40)

    resampled = preprocess.resample(disc, (spacing_mm, spacing_mm), size)

    assert resampled.sum() * (256 / size) ** 2 == pytest.approx(disc.sum() * spacing_mm**2, rel=0.01)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "spacing_mm"), SCANNERS)
def test_what_is_centred_stays_centred(count, spacing_mm, size):
    disc = disc_of(count, spacing_mm, radius_mm=40)

    resampled = preprocess.resample(disc, (spacing_mm, spacing_mm), size)
    mask = preprocess.mask(disc, (spacing_mm, spacing_mm), size)

    middle = (size - 1) / 2
    assert ndimage.center_of_mass(resampled) == pytest.approx((middle, middle), abs=1e-6)
    # The nearest of two equally near pixels is half a pixel off, at most.
    assert ndimage.center_of_mass(mask) == pytest.approx((middle, middle), abs=0.6 * spacing_mm * size / 256)


def test_image_and_mask_agree_where_an_edge_is():
    half = np.zeros((128, 128), np.float32)
    half[:, 50:] = 1

    edge = preprocess.resample(half, (2.0, 2.0), 256)[128] > 0.5
    mask = preprocess.mask(half, (2.0, 2.0), 256)[128] > 0

    assert abs(int(edge.sum()) - int(mask.sum())) <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "spacing_mm"), [*SCANNERS, (101, 1.7)])
def test_resampling_equals_scipys(count, spacing_mm, size):
    pixels = np.random.default_rng(0).random((count, count))
    step = 256 / size / spacing_mm
    line = (np.arange(size) - (size - 1) / 2) * step + (count - 1) / 2
    blurred = ndimage.gaussian_filter(pixels, max(0.0, (step - 1) / 2), mode="constant")
    expected = ndimage.map_coordinates(
        blurred, np.meshgrid(line, line, indexing="ij"), order=1, mode="grid-constant"
    )

    resampled = preprocess.resample(pixels, (spacing_mm, spacing_mm), size)

    np.testing.assert_allclose(resampled, expected, atol=1e-12)


def test_pixels_need_not_be_square():
    pixels = np.zeros((64, 128), np.float32)
    pixels[16:48, 32:96] = 1  # 128 mm x 128 mm of 4 mm x 2 mm pixels

    mask = preprocess.mask(pixels, (4.0, 2.0), 256)

    assert mask[64:192, 64:192].all()
    assert mask.sum() == 128 * 128


def test_at_one_millimetre_nothing_is_resampled():
    pixels = np.random.default_rng(0).random((256, 256))

    np.testing.assert_allclose(preprocess.resample(pixels, (1.0, 1.0), 256), pixels, atol=1e-12)


def test_a_field_of_300_mm_is_cropped():
    marked = np.zeros((300, 300))
    marked[21, 150] = marked[22, 150] = 1  # 22 mm lie outside on each side

    mask = preprocess.mask(marked, (1.0, 1.0), 256)

    assert mask.sum() == 1
    assert mask[0, 128] == 1


def test_a_field_of_200_mm_is_padded_with_air():
    pixels = np.full((200, 200), 7.0)

    resampled = preprocess.resample(pixels, (1.0, 1.0), 256)

    assert (resampled[28:228, 28:228] == 7).all()
    assert np.count_nonzero(resampled) == 200 * 200


def test_padding_is_as_dark_as_air():
    pixels = np.zeros((200, 200))
    pixels[50:150, 50:150] = np.random.default_rng(0).uniform(1, 2, (100, 100))

    image = preprocess.image(pixels, (1.0, 1.0), 256)

    assert image[0, 0] == image[40, 40] == image.min() < -3


def test_downsampling_does_not_alias_stripes():
    stripes = np.tile([0.0, 1.0], 128)[None].repeat(256, axis=0)  # far above what 4 mm pixels can show

    resampled = preprocess.resample(stripes, (1.0, 1.0), 64)[8:-8, 8:-8]

    assert resampled == pytest.approx(np.full_like(resampled, 0.5), abs=0.02)


def test_tissue_has_mean_0_and_deviation_1():
    pixels = np.zeros((256, 256))
    pixels[60:200, 60:200] = np.random.default_rng(0).gamma(2.0, 100.0, (140, 140))

    image = preprocess.image(pixels, (1.0, 1.0), 256).astype(np.float64)

    tissue = image[pixels != 0]
    assert tissue.mean() == pytest.approx(0, abs=1e-6)
    assert tissue.std() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 37.3, 1e5])
def test_an_image_without_contrast_gives_zeros(value):
    image = preprocess.image(np.full((128, 128), value), (2.0, 2.0), 64)

    # The outermost pixels touch the air around the image; everything else is what was constant.
    assert np.isfinite(image).all()
    assert (preprocess.normalise(np.full((64, 64), value)) == 0).all()
    assert value or (image == 0).all()


@pytest.mark.parametrize("size", [0, -16, 8, 15, 64.5])
def test_an_image_size_must_be_a_whole_number_of_16_or_more(size):
    with pytest.raises(DataError, match=rf"{size}: expected a whole number of 16 or more"):
        preprocess.check_image_size(size)


@pytest.mark.parametrize("size", [16, 65, 100, 250])
def test_an_image_size_need_not_suit_any_network(size):
    preprocess.check_image_size(size)

    assert preprocess.resample(np.ones((64, 64)), (4.0, 4.0), size).shape == (size, size)
