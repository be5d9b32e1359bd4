"""The distinct vote patterns of an image, or of a batch of images, and how often each occurs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import entr

from ..arrays import ShapeError, check_labels

__all__ = [
    "Patterns",
    "elsewhere",
    "look_up",
    "look_up_classes",
    "rated_groups",
    "vote_patterns",
]

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
        """Number of raters who gave each class, per pattern: ``(P, C)`` integers."""
        raters = self.votes.shape[1]
        if len(self.votes) == self.num_classes**raters:
            return _table_counts(self.num_classes, raters)
        return _votes_per_class(self.votes, self.num_classes)

    def class_shares(self) -> np.ndarray:
        """Share of raters who gave each class, per pattern: ``(P, C)`` float64."""
        return self.class_counts() / self.votes.shape[1]

    def entropies(self) -> np.ndarray:
        """Entropy of each pattern's votes in nats: ``(P,)`` float32."""
        raters = self.votes.shape[1]
        if len(self.votes) == self.num_classes**raters:
            return _table_entropies(self.num_classes, raters)
        return entr(self.class_shares()).sum(axis=1).astype(np.float32)

    def counts(self) -> np.ndarray:
        """Number of voxels that show each pattern: ``(P,)`` integers."""
        return _count(self.codes, len(self.votes))

    def counts_by_image(self) -> np.ndarray:
        """The same for each entry of the first axis of `codes`: ``(N, P)`` integers."""
        return np.stack([_count(codes, len(self.votes)) for codes in self.codes])


def vote_patterns(labels: np.ndarray, num_classes: int) -> Patterns:
    """Find the vote pattern of each voxel of checked ``labels (R, *spatial)``."""
    if num_classes ** len(labels) <= _DENSE:
        votes = _table(num_classes, len(labels))
        codes = labels[0].astype(np.min_scalar_type(len(votes) - 1))
        for said in labels[1:]:
            codes *= codes.dtype.type(num_classes)
            codes += said.astype(codes.dtype, copy=False)
        return Patterns(votes, codes, num_classes)
    classes = _table(num_classes, 1)
    codes, votes = labels[0], classes
    for said in labels[1:]:
        if len(votes) * num_classes > _DENSE:
            codes, votes = _present(codes, votes)
        size = len(votes) * num_classes
        codes = codes.astype(np.min_scalar_type(size - 1))
        codes *= codes.dtype.type(num_classes)
        codes += said.astype(codes.dtype, copy=False)
        repeated = np.repeat(votes, num_classes, axis=0)
        votes = np.hstack([repeated, np.tile(classes, (len(votes), 1))])
    return Patterns(*reversed(_present(codes, votes)), num_classes)


def look_up(values, codes: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Give each voxel the value of its pattern: ``(P,)`` to the shape of `codes`.

    Most voxels show pattern 0 as a rule, so only the others, `where` (flat indices), are looked
    up if they are few.
    """
    values = np.ascontiguousarray(values)
    where = elsewhere(codes) if where is None else where
    if 3 * len(where) > codes.size:
        return values.take(codes)
    result = np.full(codes.shape, values[0], dtype=values.dtype)
    result.reshape(-1)[where] = values.take(codes.reshape(-1)[where])
    return result


def look_up_classes(values, codes: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Give each voxel its pattern's row: ``(P, C)`` to ``(C, *spatial)``."""
    where = elsewhere(codes) if where is None else where
    few = 3 * len(where) <= codes.size
    chosen = codes.reshape(-1)[where] if few else codes.reshape(-1)
    result = np.empty((values.shape[1], codes.size), dtype=values.dtype)
    for row, column in zip(result, np.ascontiguousarray(values.T), strict=True):
        if few:
            row.fill(column[0])
            row[where] = column.take(chosen)
        else:
            column.take(chosen, out=row, mode="clip")
    return result.reshape(-1, *codes.shape)


def elsewhere(codes: np.ndarray) -> np.ndarray:
    """Flat indices of the voxels that do not show pattern 0."""
    return np.flatnonzero(codes != 0)


@lru_cache(maxsize=64)
def _table(num_classes: int, raters: int) -> np.ndarray:
    """All vote patterns ``(C ** R, R)`` in the order of their codes, read only."""
    grid = np.indices((num_classes,) * raters, dtype=np.min_scalar_type(num_classes - 1))
    table = np.ascontiguousarray(grid.reshape(raters, -1).T)
    table.flags.writeable = False
    return table


def rated_groups(labels, num_classes, rated) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split a batch by who rated: yields ``(image numbers, labels (R', N', *spatial))``.

    Parameters
    ----------
    labels : array-like, (N, R, *spatial)
        Label maps of several images.
    num_classes : int
        Classes including background.
    rated : array-like of bool, (N, R), or None
        Who rated which image; None means everybody rated all of them.

    Raises
    ------
    ShapeError
        If the shapes do not fit or an image was rated by nobody.
    LabelError
        If values are not classes.
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
    labels = check_labels(labels, num_classes)
    for who in np.unique(rated, axis=0):
        images = np.flatnonzero((rated == who).all(axis=1))
        if len(images) == len(labels) and who.all():
            chosen = labels
        else:
            chosen = labels[np.ix_(images, np.flatnonzero(who))]
        yield images, np.moveaxis(chosen, 1, 0)


@lru_cache(maxsize=64)
def _table_counts(num_classes: int, raters: int) -> np.ndarray:
    """Votes per class of all patterns, read only."""
    counts = _votes_per_class(_table(num_classes, raters), num_classes)
    counts.flags.writeable = False
    return counts


@lru_cache(maxsize=64)
def _table_entropies(num_classes: int, raters: int) -> np.ndarray:
    """Entropy of the votes of all patterns, read only."""
    shares = _table_counts(num_classes, raters) / raters
    entropies = entr(shares).sum(axis=1).astype(np.float32)
    entropies.flags.writeable = False
    return entropies


def _votes_per_class(votes: np.ndarray, num_classes: int) -> np.ndarray:
    counts = np.zeros((len(votes), num_classes), dtype=np.int64)
    rows = np.arange(len(votes))
    for vote in votes.T:
        counts[rows, vote] += 1
    return counts


def _count(codes: np.ndarray, size: int) -> np.ndarray:
    """Count codes in integers, a chunk at a time."""
    codes = codes.reshape(-1)
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, codes.size, _CHUNK):
        chunk = codes[start : start + _CHUNK]
        other = chunk[chunk != 0]
        counts[0] += len(chunk) - len(other)
        counts += np.bincount(other, minlength=size)
    return counts


def _present(codes: np.ndarray, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber the patterns so that only those that occur remain, and "all background" first."""
    occurs = _count(codes, len(votes)) > 0
    occurs[0] = True
    number = np.cumsum(occurs) - 1
    number = number.astype(np.min_scalar_type(int(number[-1])))
    return np.take(number, codes), votes[occurs]
