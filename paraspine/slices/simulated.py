"""Redraw slices of the phantom with other knobs or other raters, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from paraspine import phantom, preprocess
from paraspine.arrays import SettingsError, check_whole
from paraspine.slices.data import Slices
from paraspine.slices.grid import resampled

__all__ = ["crowd", "redrawn"]

#: A phantom's raters have letters up to so many, and numbers beyond: others, then, than those of a
#: cohort with fewer.
LETTERS = 26


def redrawn(
    data: Slices,
    settings: Mapping,
    *,
    preprocessing: preprocess.Preprocessing | None = None,
    **changes,
) -> Slices:
    """Draw slices of a phantom cohort again with some of its knobs changed.

    Everything that a knob does not act on stays as it is, voxel for voxel: the same subjects, the
    same levels, the same raters with the same hands. Without changes the result is what `load`
    reads from the cohort's files, up to their rounding of positions.

    Parameters
    ----------
    data : Slices
        Slices of the cohort, on the grid that the result has too (centred on the image).
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them.
    preprocessing : preprocess.Preprocessing, optional
        As in `load`.
    **changes
        Knobs with their new values, such as ``noise=28.0``.

    Returns
    -------
    Slices
        The same rows with other images, labels and ratings.

    Raises
    ------
    SettingsError
        For an unknown or impossible knob, a change that is none of a knob, or a cohort of volumes.
    """
    if settings.get("kind", "slices") != "slices":
        raise SettingsError("kind: expected a phantom of slices; volumes are not drawn one by one.")
    known = phantom.PhantomConfig.__dataclass_fields__
    if strange := [name for name in changes if name not in known]:
        raise SettingsError(f"{', '.join(strange)}: no such knob; expected {', '.join(known)}.")
    prepared = preprocessing or preprocess.Preprocessing()
    images, labels = np.empty_like(data.images), np.empty_like(data.labels)
    rated = np.empty_like(data.rated)
    grid = (data.size, data.spacing, None)
    for item, row in enumerate(data.table.to_dict("records")):
        number = int(str(row["subject"]).removeprefix("sub-"))
        case = phantom.simulate(number, row["level"], **{**settings, **changes})
        image = preprocess.apply(case.volume(case.image.astype(np.float32)), prepared)
        images[item] = resampled(image, *grid).array
        for r, drawn in enumerate(case.labels):
            own = resampled(case.volume(drawn), *grid, data.classes.num_classes)
            labels[item, r] = own.array[0] if case.rated[r] else 0
        rated[item] = case.rated
    return replace(data, images=images, labels=labels, rated=rated)


def crowd(data: Slices, settings: Mapping, raters: int = 30) -> Slices:
    """Have slices of a phantom cohort rated by many who took no part in it.

    Their styles and hands are drawn as those of the cohort's raters were, so what they disagree on
    is the disagreement of raters in general, of which the cohort's few are a sample.

    Parameters
    ----------
    data : Slices
        Slices of the cohort, on the grid that the result has too (centred on the image).
    settings : mapping
        The cohort's, as `phantom.settings_of` gives them.
    raters : int
        How many, at least 27.

    Returns
    -------
    Slices
        The same rows and images with the labels of the others.

    Raises
    ------
    SettingsError
        With fewer raters, a cohort that has as many itself, or one of volumes.
    """
    if settings.get("kind", "slices") != "slices":
        raise SettingsError("kind: expected a phantom of slices; volumes are not drawn one by one.")
    raters = check_whole("raters", raters, LETTERS + 1)
    if len(data.raters) > LETTERS:
        raise SettingsError(
            f"raters: expected a cohort of at most {LETTERS}, so that none of the others is one of "
            f"them; got {len(data.raters)}."
        )
    own = {**settings, "raters": raters}
    labels = np.zeros((len(data), raters, *data.size), dtype=np.uint8)
    for item, row in enumerate(data.table.to_dict("records")):
        case = phantom.simulate(int(str(row["subject"]).removeprefix("sub-")), row["level"], **own)
        for r, drawn in enumerate(case.labels):
            there = case.volume(drawn), data.size, data.spacing, None, data.classes.num_classes
            labels[item, r] = resampled(*there).array[0]
    rated = np.ones((len(data), raters), dtype=bool)
    names = tuple(f"{r + 1:03d}" for r in range(raters))
    return replace(data, labels=labels, rated=rated, raters=names)
