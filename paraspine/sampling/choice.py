"""Sampling by name, as notebooks and profiles choose it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from torch import nn

from paraspine import augmentation as augment
from paraspine.arrays import SettingsError
from paraspine.sampling.moments import SampleMoments
from paraspine.sampling.registry import METHODS

__all__ = ["sample"]


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
        `predict` (one pass; `samples` and `seed` play no part), `predict_dropout`, `predict_tta`,
        or `predict_ensemble` (one sample from each network).
    networks : sequence of torch.nn.Module, or of functions that return one
        Exactly one, but for the ensemble, which needs two or more.
    images
        As in `predict`.
    samples, seed
        As in `predict_dropout` and `predict_tta`.
    augmentation, mirror_classes, spacing
        As in `predict_tta`, which alone uses them.
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
    import paraspine.sampling as room  # as a whole: any of its methods may be chosen

    if method not in METHODS:
        raise SettingsError(f"method: expected one of {', '.join(METHODS)}, got {method!r}.")
    chosen, networks = METHODS[method], list(networks)
    if chosen.several and len(networks) < 2:
        raise SettingsError(f"networks: an ensemble needs two or more, got {len(networks)}.")
    if not chosen.several and len(networks) != 1:
        raise SettingsError(f"networks: '{method}' samples from one, got {len(networks)}.")
    if "augmentation" in chosen.takes and augmentation is None:
        raise SettingsError(f"augmentation: '{method}' needs to know how to transform images.")
    given = {
        "samples": samples,
        "seed": seed,
        "augmentation": augmentation,
        "mirror_classes": mirror_classes,
        "spacing": spacing,
    }
    module, name = chosen.place.split(".")
    function = getattr(importlib.import_module(f"{room.__name__}.{module}"), name)
    source = networks
    if not chosen.several:
        source = networks[0] if isinstance(networks[0], nn.Module) else networks[0]()
    return function(source, images, **{key: given[key] for key in chosen.takes}, **options)
