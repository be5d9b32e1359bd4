"""`Slices`: images, label maps and table of a cohort in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from paraspine.anatomy import ClassTable
from paraspine.arrays import ManifestError, ShapeError, check_spacing

__all__ = ["Slices"]


@dataclass(frozen=True)
class Slices:
    """Images and label maps of ``N`` slices on one grid.

    Attributes
    ----------
    images : numpy.ndarray, ``(N, 1, H, W)``, float32
        Intensities in [0, 1].
    labels : numpy.ndarray, ``(N, R, H, W)``, uint8
        Each rater's class numbers; all background, and without meaning, where `rated` is false.
    rated : numpy.ndarray, ``(N, R)``, bool
        Whether a rater rated the slice's image. A rater who looked and marked nothing did.
    table : pandas.DataFrame
        One row per slice, in the same order, numbered from 0: `subject`, `image` (path as in the
        manifest), `slice` (place in the volume, inferior to superior; 0 in a single slice),
        `row` (the manifest's row), `thickness` (distance of slices, mm) and the manifest's other
        columns, such as `level`, `sex`, `age`, `center`, `fat` (one that is itself called `slice`,
        `row` or `thickness` is here `manifest_slice` and so on).
    classes : ClassTable
        What the numbers mean.
    raters : tuple of str
        Names, in the order of `labels`.
    spacing : tuple of 2 float
        mm, rows and columns.
    source : str
        Words that stand under every figure, such as "synthetic phantom".
    synthetic : bool
        Whether the cohort is synthetic.
    """

    images: np.ndarray
    labels: np.ndarray
    rated: np.ndarray
    table: pd.DataFrame
    classes: ClassTable
    raters: tuple[str, ...]
    spacing: tuple[float, float]
    source: str = ""
    synthetic: bool = False

    def __post_init__(self):
        n, r = len(self.table), len(self.raters)
        size = np.shape(self.images)[2:]
        expected = {"images": (n, 1, *size), "labels": (n, r, *size), "rated": (n, r)}
        for name, shape in expected.items():
            found = np.shape(getattr(self, name))
            if found != shape or len(size) != 2:
                raise ShapeError(
                    f"{name}: expected {shape} for {n} slices and {r} raters, got {found}."
                )
        object.__setattr__(self, "raters", tuple(self.raters))
        object.__setattr__(self, "spacing", check_spacing(self.spacing, 2))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def size(self) -> tuple[int, int]:
        """Pixels, ``(H, W)``."""
        return tuple(self.images.shape[-2:])

    @property
    def keys(self) -> np.ndarray:
        """A number for each slice, ``(N,)`` uint64, from its subject, image and place alone.

        It stays the same whichever other slices are loaded or selected.
        """
        columns = (self.table[name] for name in ("subject", "image", "slice"))
        names = ("\x1f".join(map(str, parts)) for parts in zip(*columns, strict=True))
        digests = (hashlib.sha256(name.encode()).digest()[:8] for name in names)
        return np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)

    def select(self, which) -> Slices:
        """Return some of the slices.

        Parameters
        ----------
        which : array-like of bool ``(N,)`` or of int, or slice
            A mask, places (in the wanted order), or a Python slice. A pandas Series is taken by
            its order, whatever its index.

        Returns
        -------
        Slices
            A Python slice shares memory with these; anything else is a copy.
        """
        if not isinstance(which, slice):
            which = np.asarray(which)
            if which.dtype == bool and which.shape != (len(self),):
                raise ShapeError(
                    f"which: expected a mask of {len(self)} entries, got shape {which.shape}."
                )
            if which.dtype != bool:
                if which.size and which.dtype.kind not in "iu":
                    raise ShapeError(
                        f"which: expected a mask or places, got values of type {which.dtype}; "
                        "names go through a comparison, such as table['level'] == 'S1'."
                    )
                which = which.astype(np.intp).reshape(-1)
        return replace(
            self,
            images=self.images[which],
            labels=self.labels[which],
            rated=self.rated[which],
            table=self.table.iloc[which].reset_index(drop=True),
        )

    def sides(self, assignment) -> np.ndarray:
        """Look up each slice's side in a split of the manifest's rows.

        Parameters
        ----------
        assignment : pandas.Series
            As `paraspine.manifest.split` and `folds` give it for a cohort: indexed by manifest
            row. All slices of a volume get its side.

        Returns
        -------
        numpy.ndarray, ``(N,)``

        Raises
        ------
        ManifestError
            If a slice's row has no side.
        """
        if not isinstance(assignment, pd.Series):
            raise ManifestError(
                "assignment: expected a pandas Series indexed by manifest row, as manifest.split "
                f"gives it for a cohort, got {type(assignment).__name__}."
            )
        rows = self.table["row"]
        if len(missing := sorted(set(rows) - set(assignment.index))):
            raise ManifestError(
                f"assignment: no side for manifest rows {missing[:5]} ({len(missing)} in all); "
                "split the cohort that these slices were loaded from."
            )
        return assignment.loc[rows].to_numpy()

    def split(self, assignment) -> dict:
        """Cut the slices along a split of the manifest's rows.

        Parameters
        ----------
        assignment : pandas.Series
            As in `sides`.

        Returns
        -------
        dict
            Side ("train", "validation", "test", or a fold's number) to `Slices`, for every side
            that the split names; a side without a loaded slice is empty.
        """
        sides = self.sides(assignment)
        return {side: self.select(sides == side) for side in pd.unique(assignment)}
