"""Training targets: several raters fused into one, or one drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paraspine import fusion as fuse
from paraspine.arrays import LabelError, SettingsError, check_whole
from paraspine.slices.data import Slices

__all__ = [
    "FUSIONS",
    "Targets",
    "label_sets",
    "soft",
    "targets",
    "vote",
]

#: What `targets` knows, besides ``"rater:<name>"``.
FUSIONS = ("majority", "random", "staple", "average")


def label_sets(slices: Slices) -> Iterator[tuple[int, np.ndarray, tuple[str, ...]]]:
    """Yield each rated slice's place, label maps ``(R', H, W)`` and the names of who made them.

    Only the raters who rated it; slices that nobody rated are left out.
    """
    for place, rated in enumerate(slices.rated):
        if rated.any():
            who = tuple(name for name, yes in zip(slices.raters, rated, strict=True) if yes)
            yield place, slices.labels[place, rated], who


def _check_rated(slices: Slices, rated: np.ndarray, who: str) -> None:
    missing = np.flatnonzero(~rated)
    if len(missing):
        first = slices.table.iloc[missing[0]]
        raise LabelError(
            f"targets: {len(missing)} of {len(slices)} slices were not rated by {who}, the first "
            f"is slice {first['slice']} of {first['image']} (subject {first['subject']}); leave "
            "them out with slices.select before making targets."
        )


def vote(slices: Slices) -> np.ndarray:
    """Return the majority vote of each slice, ``(N, H, W)`` uint8.

    Ties as in `paraspine.fusion.majority_vote`.

    Raises
    ------
    LabelError
        If nobody rated a slice.
    """
    _check_rated(slices, slices.rated.any(axis=1), "anybody")
    if not len(slices):
        return np.zeros((0, *slices.size), dtype=np.uint8)
    classes = slices.classes.num_classes
    voted = fuse.majority_vote_many(slices.labels, classes, slices.rated)
    return voted.astype(np.uint8, copy=False)


def soft(slices: Slices) -> np.ndarray:
    """Return the share of raters who gave each class, ``(N, C, H, W)`` float32.

    NaN in the slices that nobody rated.
    """
    classes = slices.classes.num_classes
    result = np.full((len(slices), classes, *slices.size), np.nan, dtype=np.float32)
    for place, labels, _ in label_sets(slices):
        result[place] = fuse.soft_labels(labels, classes)
    return result


class Targets:
    """Targets of a set of slices: call with the epoch's number to get them.

    Attributes
    ----------
    fusion : str
        How they are made, as `targets` names it.
    seed : int
        Of the random rater.
    soft : bool
        Whether they are probabilities ``(N, C, H, W)`` float32 rather than classes ``(N, H, W)``
        uint8.
    num_classes : int
        Classes including background.
    """

    def __init__(self, slices: Slices, fusion: str = "majority", seed: int = 0):
        self.fusion = fusion
        self.seed = check_whole("seed", seed, 0)
        self.soft = fusion == "average"
        self.num_classes = slices.classes.num_classes
        self._labels, self._rated = slices.labels, slices.rated
        self._fixed = None
        if isinstance(fusion, str) and fusion.startswith("rater:"):
            name = fusion.removeprefix("rater:")
            if name not in slices.raters:
                raise SettingsError(
                    f"fusion: expected one of the raters {', '.join(slices.raters)} after "
                    f"'rater:', got {name!r}."
                )
            place = slices.raters.index(name)
            _check_rated(slices, slices.rated[:, place], f"rater {name}")
            self._fixed = slices.labels[:, place].copy()
        elif fusion not in FUSIONS:
            raise SettingsError(
                f"fusion: expected one of {', '.join(FUSIONS)} or rater:<name>, got {fusion!r}."
            )
        else:
            _check_rated(slices, slices.rated.any(axis=1), "anybody")
        if fusion == "majority":
            self._fixed = vote(slices)
        elif fusion == "average":
            self._fixed = soft(slices)
        elif fusion == "staple":
            self._fixed = np.zeros((len(slices), *slices.size), dtype=np.uint8)
            images = slices.table.reset_index(drop=True).groupby(["subject", "image"], sort=False)
            for places in images.indices.values():
                labels = np.moveaxis(slices.labels[places][:, slices.rated[places[0]]], 1, 0)
                self._fixed[places] = fuse.staple(labels, self.num_classes).labels
        else:
            self._keys = slices.keys
        if self._fixed is not None:
            self._labels = self._rated = None

    def __call__(self, epoch: int = 0) -> np.ndarray:
        """Return the targets of an epoch: the same array, not a copy, where they never change."""
        if self._fixed is not None:
            return self._fixed
        return self._labels[np.arange(len(self._labels)), self.raters(epoch)]

    def raters(self, epoch: int) -> np.ndarray:
        """Return which rater each slice is drawn from in an epoch, ``(N,)`` int.

        A pure function of seed, epoch and the slice's own subject, image and place: the workers,
        the batches, and which other slices there are make no difference. Only those who rated the
        slice are drawn, each with the same chance.

        Raises
        ------
        SettingsError
            If the targets are not random, or the epoch is not a whole number of at least 0.
        """
        if self.fusion != "random":
            raise SettingsError(f"raters: targets are made by {self.fusion!r}, not drawn.")
        epoch = check_whole("epoch", epoch, 0)
        chosen = np.empty(len(self._keys), dtype=np.intp)
        for place, (key, rated) in enumerate(zip(self._keys, self._rated, strict=True)):
            who = np.flatnonzero(rated)
            # Philox maps counter (the slice) and key (seed, epoch) to bits without any state.
            bits = np.random.Philox(
                counter=np.array([key, 0, 0, 0], dtype=np.uint64),
                key=np.array([self.seed, epoch], dtype=np.uint64),
            ).random_raw()
            chosen[place] = who[(int(bits) * len(who)) >> 64]
        return chosen


def targets(slices: Slices, fusion: str = "majority", *, seed: int = 0) -> Targets:
    """Make training targets of several raters' label maps.

    Parameters
    ----------
    slices : Slices
        Every slice must be rated by somebody.
    fusion : str
        ``majority``: most votes (`vote`). ``random``: one rater for each slice, drawn anew in
        every epoch. ``staple``: STAPLE's labels, per image (Warfield 2004). ``average``: the share
        of raters who gave each class, soft. ``rater:<name>``: that rater's labels.
    seed : int
        Of the random rater.

    Returns
    -------
    Targets
        ``targets(epoch)`` gives ``(N, H, W)`` uint8, or for ``average`` ``(N, C, H, W)`` float32.

    Raises
    ------
    LabelError
        If a slice was rated by nobody, or not by the rater named.
    SettingsError
        If the fusion or the rater is unknown.
    """
    return Targets(slices, fusion, seed)
