"""Named random streams and smooth random fields.

Every draw comes from a generator whose seed is the cohort's seed and a name such as
``(subject 3, "streaks", plane 7)``. Smooth fields live on a lattice in millimetres, not on the
image's pixels, so the same subject can be drawn with other pixels or as a volume.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

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


def _basis(positions, last: int, step: float) -> csr_array:
    """Gaussian weights ``(positions, lattice)`` that turn white noise into unit variance.

    The lattice has `last` points to either side of 0, `step` (mm) apart. Weights end five points
    away, where they are below 1e-5; so few of them are summed in a fixed order, by one thread,
    which is faster than a product of full matrices and gives the same bits on most machines.
    Positions beyond the lattice have the values of its margin.
    """
    return _basis_of(np.asarray(positions, dtype=float).tobytes(), last, step)


@lru_cache(maxsize=32)
def _basis_of(positions: bytes, last: int, step: float) -> csr_array:
    places = np.frombuffer(positions) / step
    places = np.clip(places, -last, last)
    near = np.floor(places).astype(np.intp)[:, None] + np.arange(-5, 7)
    weights = np.exp(-0.5 * (places[:, None] - near) ** 2) * (np.abs(near) <= last)
    weights /= np.sqrt((weights**2).sum(1, keepdims=True))
    columns = np.clip(near + last, 0, 2 * last)
    starts = np.arange(len(places) + 1) * near.shape[1]
    shape = (len(places), 2 * last + 1)
    return csr_array((weights.ravel(), columns.ravel(), starts), shape=shape)


def _spread(noise: np.ndarray, rows, columns, step: float) -> np.ndarray:
    """The field at `rows` and `columns` (mm) that white noise on a lattice stands for."""
    last = len(noise) // 2
    lines = _basis(rows, last, step) @ noise
    return np.ascontiguousarray((_basis(columns, last, step) @ lines.T).T)


def curves(seed: int, *names, count: int, at: float, length: float) -> np.ndarray:
    """Values ``(count,)`` at position `at` (mm) of independent smooth random functions.

    Each has mean 0, variance 1 and covariance ``exp(-d**2 / (2 * length**2))`` along the position.
    """
    step = length / np.sqrt(2)
    last = int(np.ceil(400 / step))
    noise = stream(seed, *names).standard_normal((2 * last + 1, count))
    return (_basis([at], last, step) @ noise)[0]


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
    return _spread(noise, rows, columns, step)


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
    return _spread(noise, rows, columns, lateral)
