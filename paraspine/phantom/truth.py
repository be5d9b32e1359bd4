"""True label distribution, by averaging over simulated raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraspine.arrays import check_whole
from paraspine.phantom import randomness, raters
from paraspine.phantom.acquisition import acquire, local_noise
from paraspine.phantom.canvas import plane
from paraspine.phantom.settings import protocol_from
from paraspine.phantom.simulate import _index, heights
from paraspine.phantom.subjects import draw

__all__ = ["TrueProbabilities", "true_probabilities"]


@dataclass(frozen=True)
class TrueProbabilities:
    """``P*(class | voxel)`` of one image, by averaging over simulated raters."""

    probabilities: np.ndarray
    """``(C, D, H, W)`` float32, sums to 1 over C."""
    error: np.ndarray
    """``(C, D, H, W)`` float32, the Monte Carlo standard error of each probability."""
    draws: int
    """Number of raters averaged over."""


def true_probabilities(
    subject: int,
    level: str | None = None,
    *,
    draws: int = 1000,
    population: bool = True,
    draw_seed: int = 0,
    **settings,
) -> TrueProbabilities:
    """The distribution of labels that the phantom's raters are drawn from.

    Parameters
    ----------
    subject, level, **settings
        Which image, as in `simulate`.
    draws : int
        Number of simulated raters; the error falls with its square root and is at most
        ``0.5 / sqrt(draws)``.
    population : bool
        True: each draw is a new rater with a style of their own. False: the styles are those of
        the cohort's raters, in equal shares, each with a fresh hand.
    draw_seed : int
        Seed of the draws; the image does not depend on it.

    Returns
    -------
    TrueProbabilities
        Probabilities and their standard error, ``sqrt(p * (1 - p) / draws)``.
    """
    draws = check_whole("draws", draws, 2)
    protocol, config = protocol_from(settings)
    who = draw(_index(subject), protocol, config)
    grid = plane(protocol.size, protocol.spacing)
    planes = heights(who, level, protocol)
    result = np.zeros((protocol.classes.num_classes, len(planes), *grid.shape), dtype=np.float32)
    result[0] = 1.0
    for d, z in enumerate(planes):
        _, _, fat = acquire(who, z, protocol, config)
        noise = local_noise(who, z, protocol, config) if config.noise_coupling > 0 else None
        seen = raters.scene(who, z, grid, protocol, config, fat, noise)
        counts = np.zeros((len(seen.names) + 1, *seen.distance.shape[1:]), dtype=np.int32)
        kinds = sorted({n[-2:] for n in seen.names})
        for k in range(draws):
            key = ("new", draw_seed, k) if population else protocol.rater_names[k % protocol.raters]
            how = raters.style(protocol.seed, key, seen.names, config)
            own = randomness.stream(protocol.seed, "draw", draw_seed, who.index, f"{z:.3f}", k)
            label = raters.displace(seen, _hand(own, kinds, seen, how.roughness), how)
            for c in range(len(counts)):
                counts[c] += label == c
        result[(slice(None), d, *seen.window)] = counts / draws
    error = np.sqrt(result * (1 - result) / draws)
    return TrueProbabilities(result, error.astype(np.float32), draws)


def _hand(own, kinds, seen, share) -> dict:
    """Unit fields with the distribution of `raters.fields` at one height."""
    result = {}
    for kind in kinds:
        long, short = (
            randomness.flat_field(own, seen.rows, seen.columns, length, extent=150.0)
            for length in (raters._LONG, raters._SHORT)
        )
        result[kind] = np.sqrt(1 - share) * long + np.sqrt(share) * short
    return result
