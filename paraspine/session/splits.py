"""A cohort's slices and their split, as the parameters of a run say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from paraspine import manifest
from paraspine.arrays import ManifestError

# The rooms of images are imported where a notebook asks for images: the process that hands the
# notebook to papermill, one for each job of a book, would wait for them and not use them.
if TYPE_CHECKING:
    from paraspine import slices

__all__ = ["sides_of", "slices_of"]


def slices_of(root: Path, cohort: manifest.Cohort, wanted: Mapping) -> slices.Slices:
    """A cohort's slices as ``max_size``, ``denoise``, ``bias_correction`` say; kept by content.

    Where ``levels`` names any, only the slices of these.
    """
    from paraspine import preprocess
    from paraspine.session.cache import load_slices

    settings = preprocess.Preprocessing.for_cohort(
        cohort.metadata, denoise=wanted["denoise"], bias_correction=wanted["bias_correction"]
    )
    kept = root / ".cache"
    data = load_slices(
        cohort, wanted["max_size"], settings, folder=kept / "slices", cleaned=kept / "preprocess"
    )
    levels = wanted.get("levels")
    return data.select(_of_levels(data.table, levels)) if levels else data


def _of_levels(table: pd.DataFrame, levels: Sequence[str]) -> np.ndarray:
    """Which slices are of some levels; `ManifestError` where one of these has none."""
    known = sorted(table["level"].dropna().unique()) if "level" in table else []
    if unknown := [level for level in levels if level not in known]:
        raise ManifestError(
            f"levels: no slice of {', '.join(unknown)}; the manifest's column 'level' has "
            f"{', '.join(known) or 'none'}."
        )
    return table["level"].isin(levels).to_numpy()


def sides_of(table: pd.DataFrame, wanted: Mapping) -> np.ndarray:
    """Side of each slice of a table: ``"train"``, ``"validation"`` or ``"test"``.

    Split by ``"slice"``, the sides have the same shares of every level, where levels are known
    (roshanzamir2022). With ``test_center`` that centre is the test set, and the others' subjects
    are divided in the proportion of the other two fractions (lemay2022).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per slice.
    wanted : mapping
        ``split_by``, ``train_fraction``, ``validation_fraction``, ``split_seed`` and, where there
        is one, ``test_center``.
    """
    train, validation = wanted["train_fraction"], wanted["validation_fraction"]
    if wanted.get("test_center"):
        return _by_center(table, train / (train + validation), wanted)
    fractions = (train, validation, 1 - train - validation)
    by = wanted["split_by"]
    if by == "slice":  # places in a volume repeat over volumes
        table = table.assign(slice=np.arange(len(table)))
    own = {"stratify": ("level",)} if by == "slice" and "level" in table else {}
    sides = manifest.split(table, fractions, by=by, seed=wanted["split_seed"], **own)
    return sides.to_numpy()


def _by_center(table: pd.DataFrame, train: float, wanted: Mapping) -> np.ndarray:
    """Side of each slice where one centre is the test set."""
    centers = table["center"].astype(str).to_numpy() if "center" in table else np.array([])
    held_out = centers == wanted["test_center"]
    if not held_out.any() or held_out.all():
        raise ManifestError(
            f"test_center: expected one of several centres of the manifest's column 'center' "
            f"({', '.join(sorted(set(centers))) or 'there is none'}), got "
            f"{wanted['test_center']!r}."
        )
    rest = table[~held_out]
    sides = pd.Series("test", table.index, dtype=object)
    sides[~held_out] = manifest.split(
        rest, (train, 1 - train, 0.0), by=wanted["split_by"], seed=wanted["split_seed"]
    )
    manifest.check_split(table, sides, by=wanted["split_by"])
    return sides.to_numpy()
