"""The distinct vote patterns of an image, or of a batch of images, and how often each occurs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import ShapeError, check_labels

__all__ = ["Patterns", "rated_groups", "vote_patterns"]

#: Tables of at most this many patterns are kept whole; longer ones hold what occurs only.
_DENSE = 1 << 16
#: Voxels counted at a time, which bounds the memory that counting needs.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Patterns:
    """Vote patterns: what each voxel's raters said, as a number into a table.

    Attributes
    ----------
    votes : numpy.ndarray, (P, R)
        Class that each rater gave, per pattern; row 0 is "background, says everybody".
    codes : numpy.ndarray, (*spatial)
        Row of `votes` for each voxel.
    num_classes : int
        Classes including background.
    """

    votes: np.ndarray
    codes: np.ndarray
    num_classes: int

    def class_counts(self) -> np.ndarray:
        """How many raters gave each class, per pattern: ``(P, C)`` integers."""
        counts = np.zeros((len(self.votes), self.num_classes), dtype=np.int64)
        rows = np.arange(len(self.votes))
        for vote in self.votes.T:
            counts[rows, vote] += 1
        return counts

    def counts(self) -> np.ndarray:
        """How many voxels show each pattern: ``(P,)`` integers."""
        return _count(self.codes.reshape(-1), len(self.votes))

    def counts_by_image(self) -> np.ndarray:
        """The same for each entry of the first axis of `codes`: ``(N, P)`` integers."""
        flat = self.codes.reshape(len(self.codes), -1)
        return np.stack([_count(row, len(self.votes)) for row in flat])

    def spread(self, values) -> np.ndarray:
        """Give each voxel the value of its pattern: ``(P,)`` to ``(*spatial)``."""
        return np.take(np.asarray(values), self.codes)

    def spread_classes(self, values) -> np.ndarray:
        """Give each voxel its pattern's row: ``(P, C)`` to ``(C, *spatial)``."""
        return np.take(np.ascontiguousarray(np.asarray(values).T), self.codes, axis=1)


def vote_patterns(labels, num_classes: int) -> Patterns:
    """Find the vote pattern of each voxel of ``labels (R, *spatial)``."""
    labels = check_labels(labels, num_classes)
    codes = labels[0]
    votes = np.arange(num_classes, dtype=np.min_scalar_type(max(num_classes - 1, 0)))[:, None]
    first = votes
    for said in labels[1:]:
        if len(votes) * num_classes > _DENSE:
            codes, votes = _present(codes, votes)
        size = len(votes) * num_classes
        codes = codes.astype(np.min_scalar_type(size - 1))
        codes *= codes.dtype.type(num_classes)
        codes += said.astype(codes.dtype, copy=False)
        votes = np.hstack(
            [np.repeat(votes, num_classes, axis=0), np.tile(first, (len(votes), 1))],
        )
    if len(votes) > _DENSE:
        codes, votes = _present(codes, votes)
    return Patterns(votes, codes, num_classes)


def rated_groups(labels, rated) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split a batch by who rated: yields ``(image numbers, labels (R', N', *spatial))``.

    Parameters
    ----------
    labels : array-like, (N, R, *spatial)
        Label maps of several images.
    rated : array-like of bool, (N, R), or None
        Who rated which image; None means everybody rated all of them.

    Raises
    ------
    ShapeError
        If the shapes do not fit or an image was rated by nobody.
    """
    labels = np.asarray(labels)
    if labels.ndim < 3:
        raise ShapeError(
            f"labels: expected (images, raters, *spatial), got shape {labels.shape}; one image "
            "goes through the function without '_many'."
        )
    if rated is None:
        rated = np.ones(labels.shape[:2], dtype=bool)
    rated = np.asarray(rated, dtype=bool)
    if rated.shape != labels.shape[:2]:
        raise ShapeError(
            f"rated: expected shape {labels.shape[:2]} (images, raters), got {rated.shape}."
        )
    if len(nobody := np.flatnonzero(~rated.any(axis=1))):
        raise ShapeError(
            f"rated: nobody rated image {nobody[0]} (and {len(nobody) - 1} others); leave such "
            "images out, for example with rated.any(axis=1)."
        )
    for who in np.unique(rated, axis=0):
        images = np.flatnonzero((rated == who).all(axis=1))
        if len(images) == len(labels) and who.all():
            chosen = labels
        else:
            chosen = labels[np.ix_(images, np.flatnonzero(who))]
        yield images, np.moveaxis(chosen, 1, 0)


def _count(codes: np.ndarray, size: int) -> np.ndarray:
    """Count codes in integers, a chunk at a time."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, codes.size, _CHUNK):
        counts += np.bincount(codes[start : start + _CHUNK], minlength=size)
    return counts


def _present(codes: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber the patterns so that only those that occur remain, and "all background" first."""
    occurs = _count(codes.reshape(-1), len(votes)) > 0
    occurs[0] = True
    number = np.cumsum(occurs) - 1
    number = number.astype(np.min_scalar_type(int(number[-1])))
    return np.take(number, codes), votes[occurs]
