"""STAPLE for any number of raters and classes, on the histogram of vote patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..arrays import SettingsError, check_labels, check_spacing
from .em import expectation_maximisation, is_inverted, prior_of, winners
from .patterns import (
    Patterns,
    look_up,
    look_up_classes,
    rated_groups,
    vote_patterns,
)

__all__ = ["Staple", "staple", "staple_many"]

#: Numbers that one step of the batched estimation may hold at a time.
_BUDGET = 1 << 22


@dataclass(frozen=True, eq=False)
class Staple:
    """Result of STAPLE for one image.

    Attributes
    ----------
    labels : numpy.ndarray, (*spatial)
        Most probable class; equal posteriors go to the lower class number.
    confusion : numpy.ndarray, float64 (R, C, C)
        ``confusion[r, said, true]``: probability that rater r says ``said`` where ``true`` is the
        truth. Each column sums to 1; a column is NaN where the class has no voxel.
    prior : numpy.ndarray, float64 (C,)
        Prior probability of each class inside the extent.
    converged : bool
        Whether the largest change of the confusion matrices fell to the tolerance.
    iterations : int
        How many estimation steps were made.
    change : float
        Largest change of a confusion entry in the last step.
    log_likelihood : float
        Log probability of the votes inside the extent, nats; never falls from step to step.
    undecided : int
        Voxels whose highest posterior is shared by several classes.
    extent : int
        Voxels that took part in the estimation.
    inverted : bool
        Whether the raters, taken together, would agree better with the truth if its classes were
        renamed (with two classes: mean sensitivity + specificity below 1). The estimate then
        rests on raters worse than chance, and its labels should not be used as they are.
    votes : numpy.ndarray, (P, R)
        The vote patterns: class that each rater gave.
    table : numpy.ndarray, float64 (P, C)
        Posterior of each vote pattern, NaN where the pattern occurs nowhere inside the extent.
    """

    labels: np.ndarray
    confusion: np.ndarray
    prior: np.ndarray
    converged: bool
    iterations: int
    change: float
    log_likelihood: float
    undecided: int
    extent: int
    inverted: bool
    votes: np.ndarray
    table: np.ndarray
    _codes: np.ndarray
    _outside: np.ndarray | None

    @property
    def posterior(self) -> np.ndarray:
        """Probability of each class being the true one, float32 ``(C, *spatial)``.

        Background has 1 outside the extent. Made anew from `table` at each access.
        """
        posterior = look_up_classes(self.table.astype(np.float32), self._codes)
        if self._outside is not None:
            posterior[:, self._outside] = 0
            posterior[0, self._outside] = 1
        return posterior


def staple(
    labels,
    num_classes: int,
    *,
    prior="frequency",
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
    start: str = "shares",
    extent: str = "image",
    margin: float = 0.0,
    spacing=None,
) -> Staple:
    """Estimate the true segmentation and each rater's performance together.

    Expectation maximisation after Warfield 2004 (IEEE Trans Med Imaging 23:903) for any number of
    classes: every rater has a confusion matrix, voxels are independent, and the truth has a prior
    that is the same everywhere. Since a voxel's posterior depends on its votes alone, each step
    works on the distinct vote patterns and their counts, whatever the image's size.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated, 2D, 3D or any number of axes.
    num_classes : int
        Classes including background (class 0).
    prior : {"frequency", "uniform"} or array-like (C,)
        ``"frequency"``: mean share of each class over the raters, inside the extent, as in
        Warfield 2004. Numbers given are divided by their sum.
    tolerance : float
        Stop when no entry of a confusion matrix changes by more than this.
    max_iterations : int
        Stop after so many steps in any case; `Staple.converged` says which it was.
    start : {"shares", "simpleitk"}
        The estimation climbs to the nearest maximum of the likelihood, and voxels whose vote is
        tied often have several. ``"shares"`` starts from the share of votes, which prefers no
        class without a reason, as SimpleITK's two-class STAPLE does. ``"simpleitk"`` starts as
        its MultiLabelSTAPLE does, miscount of tied voxels and all, and so gives that filter's
        labels; the likelihood it ends at is often lower.
    extent : {"image", "foreground"}
        Which voxels take part. Background on which everybody agrees lowers the foreground's
        prior and makes every rater look specific, so the whole image's answer depends on how
        much background the picture shows. ``"foreground"`` takes the union of the raters'
        foregrounds, widened by `margin`, and its answer depends on the outlines alone; without a
        margin raters look unspecific and the consensus comes out larger.
    margin : float
        Euclidean distance by which ``"foreground"`` is widened, in voxels, or in mm where
        `spacing` is given.
    spacing : sequence of float, optional
        Voxel size in mm, one number per spatial axis.

    Returns
    -------
    Staple
        Posterior, labels, confusion matrices, and how the estimation went.

    Raises
    ------
    ShapeError, LabelError
        If the labels do not fit.
    SettingsError
        If an option is unknown or out of range.
    """
    patterns = vote_patterns(check_labels(labels, num_classes)[:, None], num_classes)
    options = _Options(prior, tolerance, max_iterations, start, extent, margin, spacing)
    return _staple_group(patterns, options)[0]


def staple_many(
    labels,
    num_classes: int,
    rated=None,
    *,
    prior="frequency",
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
    start: str = "shares",
    extent: str = "image",
    margin: float = 0.0,
    spacing=None,
) -> list[Staple]:
    """`staple` for each image of a batch, the estimation steps of all images done together.

    Parameters
    ----------
    labels : array-like of int, (N, R, *spatial)
        Label maps of N images of one size.
    num_classes : int
        Classes including background.
    rated : array-like of bool, (N, R), optional
        Who rated which image; a rater who did not is left out of that image, and its confusion
        matrices count the raters who did, in order.
    prior, tolerance, max_iterations, start, extent, margin, spacing
        As for `staple`; every image has a prior and an extent of its own.

    Returns
    -------
    list of Staple
        One per image, equal to calling `staple` on each.

    Raises
    ------
    ShapeError, LabelError, SettingsError
        As `staple`, and if an image was rated by nobody.
    """
    options = _Options(prior, tolerance, max_iterations, start, extent, margin, spacing)
    results: list[Staple | None] = [None] * len(labels)
    for images, group in rated_groups(labels, num_classes, rated):
        found = _staple_group(vote_patterns(group, num_classes), options)
        for image, result in zip(images, found, strict=True):
            results[image] = result
    return results


@dataclass(frozen=True)
class _Options:
    """The options of `staple`, checked."""

    prior: object
    tolerance: float
    max_iterations: int
    start: str
    extent: str
    margin: float
    spacing: object

    def __post_init__(self):
        if not (np.isfinite(self.tolerance) and self.tolerance > 0):
            raise SettingsError(f"tolerance: expected a positive number, got {self.tolerance!r}.")
        if self.max_iterations < 1 or int(self.max_iterations) != self.max_iterations:
            raise SettingsError(
                f"max_iterations: expected a whole number of at least 1, "
                f"got {self.max_iterations!r}."
            )
        if self.start not in ("shares", "simpleitk"):
            raise SettingsError(f"start: expected 'shares' or 'simpleitk', got {self.start!r}.")
        if self.extent not in ("image", "foreground"):
            raise SettingsError(
                f"extent: expected 'image' or 'foreground' (the union of the raters' foregrounds "
                f"plus a margin), got {self.extent!r}."
            )
        if not (np.isfinite(self.margin) and self.margin >= 0):
            raise SettingsError(f"margin: expected a number of at least 0, got {self.margin!r}.")
        if self.margin and self.extent == "image":
            raise SettingsError("margin: has no meaning with extent='image'; use 'foreground'.")


def _staple_group(patterns: Patterns, options: _Options) -> list[Staple]:
    """STAPLE for images that the same raters rated; ``patterns.codes`` is ``(N, *spatial)``."""
    num_classes = patterns.num_classes
    counts = patterns.counts_by_image()
    outside = _outside(patterns.codes, options)
    if outside is not None:
        counts[:, 0] -= outside.reshape(len(counts), -1).sum(axis=1)
    keep = counts.any(axis=0)
    keep[0] = True
    votes, counts = patterns.votes[keep], counts[:, keep]
    prior = prior_of(options.prior, counts, patterns.class_counts()[keep])
    step = max(1, _BUDGET // (votes.size * num_classes))
    results = []
    for start in range(0, len(counts), step):
        images = range(start, min(start + step, len(counts)))
        found = expectation_maximisation(
            votes,
            counts[images],
            num_classes,
            prior[images],
            options.tolerance,
            options.max_iterations,
            options.start,
        )
        for image, (posterior, confusion, iterations, change, likelihood) in zip(
            images, zip(*found, strict=True), strict=True
        ):
            label, shared = winners(posterior)
            full = np.zeros(len(keep), dtype=np.min_scalar_type(num_classes - 1))
            full[keep] = label
            labels = look_up(full, patterns.codes[image])
            if outside is not None:
                labels[outside[image]] = 0
            table = np.full((len(keep), num_classes), np.nan)
            table[keep] = np.where(counts[image][:, None] > 0, posterior, np.nan)
            empty = ~(confusion.sum(axis=1, keepdims=True) > 0)
            results.append(
                Staple(
                    labels=labels,
                    confusion=np.where(empty, np.nan, confusion),
                    prior=prior[image],
                    converged=bool(change <= options.tolerance),
                    iterations=int(iterations),
                    change=float(change),
                    log_likelihood=float(likelihood),
                    undecided=int(counts[image][shared].sum()),
                    extent=int(counts[image].sum()),
                    inverted=is_inverted(confusion),
                    votes=patterns.votes,
                    table=table,
                    _codes=patterns.codes[image],
                    _outside=None if outside is None else outside[image],
                )
            )
    return results


def _outside(codes, options: _Options) -> np.ndarray | None:
    """Voxels ``(N, *spatial)`` that do not take part, or None where all do."""
    if options.extent == "image":
        return None
    sampling = None
    if options.spacing is not None:
        sampling = check_spacing(options.spacing, codes.ndim - 1)
    outside = codes == 0  # pattern 0 is "background, says everybody"
    if options.margin:
        for i, empty in enumerate(outside):
            if not empty.all():
                outside[i] = ndimage.distance_transform_edt(empty, sampling) > options.margin
    return outside
