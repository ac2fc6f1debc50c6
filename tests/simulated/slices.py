"""Small data sets on disk, written with nibabel rather than with our own writer."""

from pathlib import Path

import nibabel as nib
import numpy as np


def write_nifti(path: Path, voxels: np.ndarray, spacing_mm: tuple[float, ...] = (8.0, 8.0, 24.0)) -> Path:
    """Write any array as a NIfTI file of its own type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, np.diag([*(*spacing_mm, 1.0, 1.0)[:3], 1.0]))
    image.header.set_zooms((*spacing_mm, 1.0)[: voxels.ndim])
    nib.save(image, path)
    return path


def disc(size: int = 32, radius: float = 8.0) -> np.ndarray:
    """Return a centred disc, uint8 (size, size)."""
    line = np.arange(size) - (size - 1) / 2
    return (np.hypot(*np.meshgrid(line, line)) < radius).astype(np.uint8)


def write_slice_pair(
    root: Path, name: str, size: int = 32, spacing_mm: float = 8.0, brain: bool = True
) -> None:
    """Write `images/NAME.nii.gz` and `masks/NAME_mask.nii.gz`; the image depends on the name."""
    mask = disc(size)[..., None] * np.uint8(brain)
    noise = np.random.default_rng(list(name.encode())).integers(1, 50, mask.shape)
    zooms = (spacing_mm, spacing_mm, 3.0)
    write_nifti(root / "images" / f"{name}.nii.gz", (100 * mask + noise).astype(np.int16), zooms)
    write_nifti(root / "masks" / f"{name}_mask.nii.gz", mask.astype(np.float64) * 0.99999, zooms)


def write_slice_pairs(root: Path, subjects: int = 4, slices: int = 3) -> Path:
    """Write `T2W_volNNNN_sliceNN` pairs; the last slice of each subject shows no brain."""
    for subject in range(subjects):
        for index in range(slices):
            write_slice_pair(root, f"T2W_vol{subject:04d}_slice{index:02d}", brain=index < slices - 1)
    return root


def volume(depth: int = 5, size: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image int16 and a mask uint8 (size, size, depth); slice k holds about 100 * (k + 1)."""
    mask = np.repeat(disc(size, 4.0)[..., None], depth, axis=2)
    noise = np.random.default_rng(seed).integers(0, 20, mask.shape)
    return (100 * (1 + np.arange(depth)) + noise + 10 * mask).astype(np.int16), mask
