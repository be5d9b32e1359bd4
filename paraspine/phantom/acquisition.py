"""Image acquisition: coil sensitivity, noise and rounding."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from paraspine.phantom import randomness
from paraspine.phantom.canvas import Plane, plane
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.subjects import Subject
from paraspine.phantom.tissue import fat_maps, signal

__all__ = ["acquire", "local_noise"]

# Noise and bias of the centres relative to the settings; further centres repeat the pattern.
_CENTER_NOISE = (1.0, 0.8, 1.25)
_CENTER_BIAS = (1.0, 1.2, 0.75)


def acquire(
    subject: Subject, z: float, protocol: Protocol, config: PhantomConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One slice at height `z` (mm).

    Returns
    -------
    image : numpy.ndarray, ``(H, W)`` int16
        Magnitude image with noise.
    clean : numpy.ndarray, ``(H, W)``
        The same without noise.
    fat : numpy.ndarray, ``(H, W)`` float32
        Fat fraction of the muscle at each pixel; 0 outside the muscles. Not to be written to.
    """
    size, spacing = tuple(protocol.size), tuple(protocol.spacing)
    grid = plane(size, spacing)
    # Larger slices are not kept: they would take hundreds of megabytes.
    make = _tissue if grid.y.size * grid.x.size <= 512**2 else _tissue.__wrapped__
    tissue, fat = make(subject, z, size, spacing, config.partial_volume, config.thickness)
    clean = tissue * _sensitivity(subject, z, grid, config)
    sigma = config.noise * _CENTER_NOISE[subject.center % 3]
    real, imaginary = _noise(subject, z, grid)
    image = np.hypot(clean + sigma * real, sigma * imaginary)
    return np.rint(np.clip(image, 0, 32767)).astype(np.int16), clean, fat


@lru_cache(maxsize=32)
def _tissue(
    subject: Subject, z: float, size: tuple, spacing: tuple, edge: float, thickness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Signal before coil and noise, and fat fraction.

    That is most of the work and the same whatever the noise and the bias field, so the last slices
    are kept for a study that changes only those.
    """
    grid = plane(size, spacing)
    fat = fat_maps(subject, z, grid)
    textures = {
        name: randomness.field(
            subject.seed, name, subject.index,
            z=z, rows=grid.y[:, 0], columns=grid.x[0], length=length, z_length=10.0,
        )
        for name, length in (("fine", 1.6), ("coarse", 9.0))
    }  # fmt: skip
    half = thickness / np.sqrt(12)  # two points average a slab exactly up to third order
    offsets = (-half, half) if half > 0 else (0.0,)
    clean = np.mean([signal(subject, z + d, grid, edge, fat, textures) for d in offsets], axis=0)
    share = np.zeros(grid.shape, dtype=np.float32)
    for window, values, inside in fat.values():
        share[window] = np.where(inside >= 0.5, values, share[window])
    for array in (clean, share):
        array.flags.writeable = False
    return clean, share


def _noise(subject: Subject, z: float, grid: Plane) -> np.ndarray:
    own = randomness.stream(subject.seed, "noise", subject.index, f"{z:.3f}")
    return own.standard_normal((2, *grid.shape))


def _sensitivity(subject: Subject, z: float, grid: Plane, config: PhantomConfig) -> np.ndarray:
    """Surface coil under the back, a smooth inhomogeneity, and the saturation band."""
    strength = config.bias_field * _CENTER_BIAS[subject.center % 3]
    smooth = randomness.field(
        subject.seed, "bias", subject.index,
        z=z, rows=grid.y[:, 0], columns=grid.x[0], length=70.0, z_length=90.0,
    )  # fmt: skip
    log = 0.0075 * (grid.y + 10) - 0.00002 * grid.x**2 + 0.09 * smooth
    field = np.exp(strength * np.clip(log, -1.5, 0.6))
    if subject.band:
        edge = -78 * subject.scale + 4 * subject.trait("band")
        field = field * (0.1 + 0.9 / (1 + np.exp(-(grid.y - edge) / 3.5)))
    return field


def local_noise(
    subject: Subject, z: float, protocol: Protocol, config: PhantomConfig, length: float = 3.0
) -> np.ndarray:
    """Root mean square of the noise in a neighbourhood of `length` mm, in units of 14."""
    from scipy.ndimage import gaussian_filter

    grid = plane(protocol.size, protocol.spacing)
    power = (_noise(subject, z, grid) ** 2).mean(0)
    smooth = gaussian_filter(power, [length / s for s in protocol.spacing], mode="reflect")
    return config.noise * _CENTER_NOISE[subject.center % 3] / 14.0 * np.sqrt(smooth)
