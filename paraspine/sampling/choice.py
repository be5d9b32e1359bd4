"""Sampling by name, as notebooks and profiles choose it."""

from __future__ import annotations

from paraspine.arrays import SettingsError
from paraspine.sampling.methods import dropout, single
from paraspine.sampling.moments import SampleMoments

__all__ = ["sample"]

#: What `sample` knows by name: those that need one network and nothing else.
METHODS = ("single", "dropout")


def sample(
    method: str,
    model,
    images,
    *,
    samples: int = 10,
    seed: int = 0,
    **options,
) -> SampleMoments:
    """Predict with one network in the way that a name says.

    Parameters
    ----------
    method : {"single", "dropout"}
        `single` (one pass; `samples` and `seed` play no part) or `dropout`.
    model, images
        As in `single`.
    samples, seed
        As in `dropout`.
    **options
        ``batch_size``, ``device``, ``precision``, ``progress``.

    Returns
    -------
    SampleMoments

    Raises
    ------
    SettingsError
        If there is no method of that name.
    """
    if method == "single":
        return single(model, images, **options)
    if method == "dropout":
        return dropout(model, images, samples, seed=seed, **options)
    raise SettingsError(f"method: expected one of {', '.join(METHODS)}, got {method!r}.")
