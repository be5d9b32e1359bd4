"""Sampled segmentations themselves, for what their moments do not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from paraspine.sampling.choice import sample

__all__ = ["segmentations"]


def segmentations(
    method: str,
    networks: Sequence[nn.Module | Callable[[], nn.Module]],
    images,
    **options,
) -> np.ndarray:
    """The most probable class of every sample.

    Parameters
    ----------
    method, networks, images
        As in `sample`: of ``"ensemble"`` each network gives one, of ``"single"`` there is one.
    **options
        As `sample` takes them.

    Returns
    -------
    numpy.ndarray of uint8, ``(N, T, H, W)``
        Background where a sample did not see the pixel.
    """
    drawn: dict[int, list[np.ndarray]] = {}

    def keep(items, number, probabilities, seen) -> None:
        labels = np.nan_to_num(probabilities).argmax(axis=1).astype(np.uint8)
        drawn.setdefault(number, []).append(labels)

    sample(method, networks, images, on_sample=keep, **options)
    return np.stack([np.concatenate(parts) for _, parts in sorted(drawn.items())], axis=1)
