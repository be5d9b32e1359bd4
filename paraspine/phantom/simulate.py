"""Simulate one image of the cohort, with its raters and its truth, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_whole
from paraspine.phantom import randomness, raters
from paraspine.phantom.acquisition import acquire, local_noise
from paraspine.phantom.canvas import plane
from paraspine.phantom.settings import PhantomConfig, Protocol, protocol_from
from paraspine.phantom.subjects import Subject, draw
from paraspine.volumes import Volume

__all__ = ["Case", "heights", "picture", "rated", "simulate", "true_outlines"]


@dataclass(frozen=True)
class Case:
    """A simulated image, its raters and its truth; arrays are ``(D, H, W)``, D = 1 for a slice."""

    name: str
    image: np.ndarray
    """int16 magnitude image."""
    clean: np.ndarray
    """float32, the same without noise and rounding."""
    labels: np.ndarray
    """``(R, D, H, W)`` uint8, one label map per rater."""
    rated: np.ndarray
    """``(R,)`` bool; False where a rater's label map is not part of the cohort."""
    truth: np.ndarray
    """uint8, the true outlines."""
    fat: np.ndarray
    """float32 fat fraction of muscle, 0 outside the true muscles."""
    spacing: tuple[float, float, float]
    """mm, ``(D, H, W)``."""
    affine: np.ndarray
    """``(4, 4)``, array index to world RAS+ (mm): midline, mean of the MF centroids and upper
    endplate of S1 are 0."""
    classes: ClassTable
    subject: Subject

    def volume(self, array) -> Volume:
        """An array of this image, ``(D, H, W)``, with its place in the world."""
        return Volume(np.asarray(array), self.spacing, self.affine)

    @property
    def fat_fraction(self) -> float:
        """Mean fat fraction over the true muscles; NaN without any muscle."""
        inside = self.truth > 0
        return float(self.fat[inside].mean()) if inside.any() else float("nan")


def simulate(subject: int, level: str | None = None, **settings) -> Case:
    """Draw one image of a cohort in memory.

    Parameters
    ----------
    subject : int
        Number of the subject, from 1, as in ``sub-001``.
    level : str, optional
        One of `paraspine.anatomy.LEVELS`; left out for ``kind="volumes"``.
    **settings
        As `make_cohort`: ``seed``, ``raters``, ``size``, ``spacing``, ``kind``, ... and knobs.

    Returns
    -------
    Case
        The same image and labels that `make_cohort` writes with the same settings.

    Raises
    ------
    SettingsError
        For an unknown or impossible setting.
    """
    protocol, config = protocol_from(settings)
    who = draw(_index(subject), protocol, config)
    return picture(who, level, protocol, config)


def true_outlines(
    subject: int, level: str | None = None, *, height: float | None = None, **settings
) -> np.ndarray:
    """The true outlines of one slice, without its image and raters: much faster than `simulate`.

    Parameters
    ----------
    subject, level, **settings
        As in `simulate`.
    height : float, optional
        Instead of a level: mm above the upper endplate of S1, in a body of mean size.

    Returns
    -------
    numpy.ndarray, ``(H, W)`` uint8

    Raises
    ------
    SettingsError
        For an unknown or impossible setting.
    """
    protocol, config = protocol_from({**settings, "kind": "slices"})
    who = draw(_index(subject), protocol, config)
    z = heights(who, level, protocol)[0] if height is None else height * who.scale
    grid = plane(protocol.size, protocol.spacing)
    seen = raters.scene(who, z, grid, protocol, config, np.zeros(grid.shape))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[seen.window] = raters.truth(seen)
    return labels


def _index(subject: int) -> int:
    return check_whole("subject", subject) - 1


def heights(subject: Subject, level: str | None, protocol: Protocol) -> list[float]:
    """Heights (mm) of an image's slices, from inferior to superior."""
    if protocol.kind == "volumes":
        if level is not None:
            raise SettingsError("level: a volume holds all levels; leave it out.")
        first, last = -18.0 * subject.scale, 188.0 * subject.scale
        count = int(np.ceil((last - first) / protocol.slice_spacing)) + 1
        return [first + k * protocol.slice_spacing for k in range(count)]
    if level not in protocol.levels:
        raise SettingsError(f"level: expected one of {', '.join(protocol.levels)}, got {level!r}.")
    return [subject.height(level)]


def rated(
    subject: Subject, level: str | None, protocol: Protocol, config: PhantomConfig
) -> np.ndarray:
    """Which raters rated an image, ``(R,)`` bool."""
    own = randomness.stream(subject.seed, "single rater", subject.index, level)
    alone, who = own.random(2)
    result = np.ones(protocol.raters, dtype=bool)
    if alone < config.single_rater:
        result[:] = False
        result[int(who * protocol.raters)] = True
    return result


def picture(subject: Subject, level: str | None, protocol: Protocol, config: PhantomConfig) -> Case:
    """Draw one image of a subject; `simulate` is the public door."""
    grid = plane(protocol.size, protocol.spacing)
    images, cleans, fats, labels, truths = [], [], [], [], []
    planes = heights(subject, level, protocol)
    for z in planes:
        image, clean, fat = acquire(subject, z, protocol, config)
        noise = local_noise(subject, z, protocol, config) if config.noise_coupling > 0 else None
        seen = raters.scene(subject, z, grid, protocol, config, fat, noise)
        true = np.zeros(grid.shape, dtype=np.uint8)
        true[seen.window] = raters.truth(seen)
        images.append(image)
        cleans.append(clean.astype(np.float32))
        fats.append(np.where(true > 0, fat, 0).astype(np.float32))
        truths.append(true)
        labels.append(raters.draw_labels(subject, z, grid, seen, protocol, config))
    depth = protocol.slice_spacing if protocol.kind == "volumes" else max(config.thickness, 1.0)
    return Case(
        name=subject.name if level is None else f"{subject.name}_{slug(level)}",
        image=np.stack(images),
        clean=np.stack(cleans),
        labels=np.stack(labels, axis=1),
        rated=rated(subject, level, protocol, config),
        truth=np.stack(truths),
        fat=np.stack(fats),
        spacing=(float(depth), *protocol.spacing),
        affine=_affine(grid, planes[0], (float(depth), *protocol.spacing)),
        classes=protocol.classes,
        subject=subject,
    )


def _affine(grid, z: float, spacing) -> np.ndarray:
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing[0], -spacing[1], -spacing[2]
    affine[:, 3] = -grid.x[0, 0], -grid.y[0, 0], z, 1.0
    return affine


def slug(level: str) -> str:
    """A level as part of a file name: ``upper-L4``."""
    return level.replace(" ", "-")
