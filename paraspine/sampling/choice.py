"""Sampling by name, as notebooks and profiles choose it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from paraspine import augmentation as augment
from paraspine.arrays import SettingsError
from paraspine.sampling.methods import augmented, ensemble, single
from paraspine.sampling.moments import SampleMoments
from paraspine.sampling.stochastic import dropout

__all__ = ["METHODS", "sample"]

#: What `sample` knows by name.
METHODS = ("single", "dropout", "tta", "ensemble")


def sample(
    method: str,
    networks: Sequence[nn.Module | Callable[[], nn.Module]],
    images,
    *,
    samples: int = 10,
    seed: int = 0,
    augmentation: augment.Augmentation | None = None,
    mirror_classes: Sequence[int] | None = None,
    spacing: Sequence[float] = (1.0, 1.0),
    **options,
) -> SampleMoments:
    """Predict in the way that a name says.

    Parameters
    ----------
    method : {"single", "dropout", "tta", "ensemble"}
        `single` (one pass; `samples` and `seed` play no part), `dropout`, `augmented`, or
        `ensemble` (one sample from each network).
    networks : sequence of torch.nn.Module, or of functions that return one
        Exactly one, but for the ensemble, which needs two or more.
    images
        As in `single`.
    samples, seed
        As in `dropout` and `augmented`.
    augmentation, mirror_classes, spacing
        As in `augmented`, which alone uses them.
    **options
        ``batch_size``, ``device``, ``precision``, ``progress``.

    Returns
    -------
    SampleMoments

    Raises
    ------
    SettingsError
        If there is no method of that name, the number of networks doesn't fit it, or "tta" has no
        augmentation.
    """
    if method not in METHODS:
        raise SettingsError(f"method: expected one of {', '.join(METHODS)}, got {method!r}.")
    networks = list(networks)
    if method == "ensemble":
        if len(networks) < 2:
            raise SettingsError(f"networks: an ensemble needs two or more, got {len(networks)}.")
        return ensemble(networks, images, **options)
    if len(networks) != 1:
        raise SettingsError(f"networks: '{method}' samples from one, got {len(networks)}.")
    model = networks[0] if isinstance(networks[0], nn.Module) else networks[0]()
    if method == "single":
        return single(model, images, **options)
    if method == "dropout":
        return dropout(model, images, samples, seed=seed, **options)
    if augmentation is None:
        raise SettingsError("augmentation: 'tta' needs to know how to transform images.")
    return augmented(
        model,
        images,
        samples,
        augmentation=augmentation,
        mirror_classes=mirror_classes,
        spacing=spacing,
        seed=seed,
        **options,
    )
