"""Random numbers by name, so that an ingredient's draws do not depend on any other's.

Every draw comes from a generator whose seed is the cohort's seed and a name such as
``(subject 3, "streaks", plane 7)``. Smooth fields live on a lattice in millimetres, not on the
image's pixels, so the same subject can be drawn with other pixels or as a volume.
"""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["curves", "field", "flat_field", "golden", "stream"]

#: Lattices of smooth fields reach this far (mm) from the centre to each side.
_EXTENT = 210.0


def stream(seed: int, *names) -> np.random.Generator:
    """A generator that depends on the seed and the names alone."""
    key = tuple(zlib.crc32(str(n).encode()) for n in names)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def golden(seed: int, name: str, index: int, step: float = 0.6180339887498949) -> float:
    """The `index`-th number of a low-discrepancy sequence in (0, 1) with a random start.

    Any run of subjects covers the interval evenly, and a longer cohort begins with the shorter one.
    """
    return float(np.clip((stream(seed, name).random() + index * step) % 1.0, 1e-4, 1 - 1e-4))


def _basis(positions: np.ndarray, first: int, last: int, step: float) -> np.ndarray:
    """Gaussian weights ``(positions, lattice)`` that turn white noise into unit variance."""
    lattice = np.arange(first, last + 1) * step
    weights = np.exp(-0.5 * ((np.asarray(positions)[:, None] - lattice[None]) / step) ** 2)
    return weights / np.sqrt((weights**2).sum(1, keepdims=True))


def curves(seed: int, *names, count: int, at: float, length: float) -> np.ndarray:
    """Values ``(count,)`` at position `at` (mm) of independent smooth random functions.

    Each has mean 0, variance 1 and covariance ``exp(-d**2 / (2 * length**2))`` along the position.
    """
    step = length / np.sqrt(2)
    last = int(np.ceil(400 / step))
    noise = stream(seed, *names).standard_normal((2 * last + 1, count))
    return (_basis([at], -last, last, step) @ noise)[0]


def flat_field(
    generator: np.random.Generator, rows, columns, length: float, extent: float = _EXTENT
) -> np.ndarray:
    """A smooth Gaussian field over a plane: ``(rows, columns)``, mean 0, variance 1.

    Parameters
    ----------
    generator : numpy.random.Generator
        Drawn from once, for the whole lattice, so that the field does not depend on the pixels.
    rows, columns : array-like
        Positions (mm) of the pixels along each axis.
    length : float
        Correlation length (mm): the covariance is ``exp(-d**2 / (2 * length**2))``.
    extent : float
        The lattice reaches this far (mm) from 0 to each side.
    """
    step = length / np.sqrt(2)
    last = int(np.ceil(extent / step))
    noise = generator.standard_normal((2 * last + 1, 2 * last + 1))
    return _basis(rows, -last, last, step) @ noise @ _basis(columns, -last, last, step).T


def field(
    seed: int,
    *names,
    z: float,
    rows,
    columns,
    length: float,
    z_length: float,
    extent: float = _EXTENT,
) -> np.ndarray:
    """The plane at height `z` (mm) of a smooth Gaussian field in space: ``(rows, columns)``.

    As `flat_field`, with correlation length `z_length` (mm) across planes. Each lattice plane has
    a stream of its own, so a plane costs the same whether it stands alone or in a volume.
    """
    step = z_length / np.sqrt(2)
    near = np.arange(int(np.floor(z / step)) - 2, int(np.floor(z / step)) + 4)
    weights = np.exp(-0.5 * (z / step - near) ** 2)
    weights /= np.sqrt((weights**2).sum())
    lateral = length / np.sqrt(2)
    last = int(np.ceil(extent / lateral))
    noise = np.zeros((2 * last + 1, 2 * last + 1))
    for plane, weight in zip(near, weights, strict=True):
        noise += weight * stream(seed, *names, int(plane)).standard_normal(noise.shape)
    return _basis(rows, -last, last, lateral) @ noise @ _basis(columns, -last, last, lateral).T
