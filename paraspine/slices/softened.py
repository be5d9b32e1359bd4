"""Training targets that stay soft through resampling, or hard."""

from __future__ import annotations

import numpy as np

from paraspine import fusion as fuse
from paraspine import volumes
from paraspine.arrays import SettingsError
from paraspine.slices.data import Slices
from paraspine.slices.grid import middle_of, pair
from paraspine.slices.targets import Targets, targets

__all__ = ["SOFTNESS", "SoftTargets", "rated_for", "training_targets"]

#: Whether targets are what the fusion gives, always soft, soft until the training binarises them
#: after augmentation, or always hard.
SOFTNESS = ("as fused", "soft", "binarised", "hard")


def rated_for(slices: Slices, fusion: str) -> tuple[Slices, str]:
    """Return the slices that a fusion can use, and the fusion.

    For ``rater:<name>`` they are those which this rater rated; where there is none, all slices and
    ``"majority"``. Every other fusion uses all.
    """
    name = fusion.removeprefix("rater:")
    if name == fusion or name not in slices.raters:
        return slices, fusion
    own = slices.rated[:, slices.raters.index(name)]
    return (slices.select(own), fusion) if own.any() else (slices, "majority")


def training_targets(
    slices: Slices, fusion: str = "majority", *, seed: int = 0, softness: str = "as fused", cohort
):
    """Make the targets of a training as `targets` does, kept soft or made hard.

    Parameters
    ----------
    slices : Slices
        Every slice must be rated by somebody.
    fusion, seed
        As in `targets`.
    softness : "as fused", "soft", "binarised" or "hard"
        ``"as fused"``: class numbers, but for ``average``, which is soft. ``"soft"`` (SoftSeg):
        probabilities for every fusion, fused on the raters' own grid, resampled linearly to that of
        the slices and not binarised. ``"binarised"`` (lemay2022's conventional training): the same,
        for a training that binarises what its augmentation moved (``Settings.binarise``).
        ``"hard"``: class numbers for every fusion; the average, binarised, is the majority vote.
    cohort : manifest.Cohort
        What the slices were loaded from; ``"soft"`` reads its label maps again.

    Returns
    -------
    Targets or SoftTargets
        ``targets(epoch)`` gives ``(N, H, W)`` uint8 or ``(N, C, H, W)`` float32.

    Raises
    ------
    LabelError, SettingsError
        As `targets`; also if there is no such softness.
    """
    if softness not in SOFTNESS:
        raise SettingsError(f"softness: expected one of {', '.join(SOFTNESS)}, got {softness!r}.")
    if softness in ("soft", "binarised"):
        return SoftTargets(slices, fusion, seed, cohort)
    if softness == "hard" and fusion == "average":
        fusion = "majority"
    return targets(slices, fusion, seed=seed)


class SoftTargets:
    """Soft targets of a set of slices: call with the epoch's number to get them.

    Attributes
    ----------
    fusion, seed, num_classes
        As in `Targets`.
    soft : bool
        True.
    """

    soft = True

    def __init__(self, slices: Slices, fusion: str, seed: int, cohort):
        self._drawn = Targets(slices, fusion, seed)  # checks its arguments
        self.fusion, self.seed = fusion, self._drawn.seed
        self.num_classes = slices.classes.num_classes
        each = len(slices.raters) if fusion == "random" else 1
        shape = (len(slices), each, self.num_classes, *slices.size)
        self._values = np.zeros(shape, dtype=np.float32)
        rows = slices.table["row"].to_numpy()
        places = slices.table["slice"].to_numpy()
        for row in dict.fromkeys(rows):
            own = np.flatnonzero(rows == row)
            for r, soft in self._resampled(slices, cohort, row):
                self._values[own, r] = np.moveaxis(soft[:, places[own]], 1, 0)
        self._fixed = None if fusion == "random" else self._values[:, 0]

    def _resampled(self, slices: Slices, cohort, row):
        """Yield places and soft labels ``(C, D, H, W)`` of an image, on the slices' grid."""
        paths = [cohort.label_path(row, name) for name in slices.raters]
        read = {r: volumes.read_labels(path) for r, path in enumerate(paths) if path is not None}
        first = next(iter(read.values()))
        center = pair((cohort.metadata.get("grid") or {}).get("center"), "center")
        middle = middle_of(first, center)
        grid = volumes.resample_grid(first, slices.size, slices.spacing, center=middle)
        arrays = {r: np.asarray(volume.array) for r, volume in read.items()}
        if self.fusion != "random":
            arrays = {0: self._fused(arrays, slices.raters)}
        for r, labels in arrays.items():
            soft = labels if labels.ndim == 4 else fuse.soft_labels(labels[None], self.num_classes)
            yield r, volumes.probabilities_onto(soft, first, grid)

    def _fused(self, arrays: dict[int, np.ndarray], raters) -> np.ndarray:
        """Label map ``(D, H, W)`` or soft label ``(C, D, H, W)`` of the raters of an image."""
        if self.fusion.startswith("rater:"):
            return arrays[list(raters).index(self.fusion.removeprefix("rater:"))]
        labels = np.stack(list(arrays.values()))
        if self.fusion == "average":
            return fuse.soft_labels(labels, self.num_classes)
        if self.fusion == "staple":  # of the whole volume
            return fuse.staple(labels, self.num_classes).labels
        planes = np.moveaxis(labels, 1, 0)
        return fuse.majority_vote_many(planes, self.num_classes)

    def __call__(self, epoch: int = 0) -> np.ndarray:
        """Return the targets of an epoch: the same array where they never change."""
        if self._fixed is not None:
            return self._fixed
        return self._values[np.arange(len(self._values)), self._drawn.raters(epoch)]
