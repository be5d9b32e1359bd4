"""One score from several measures, and entropy errors image by image (lemay2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine.arrays import SettingsError
from paraspine.frames import rows

__all__ = ["COMPOSITE", "things", "composite_score", "entropy_errors"]

#: Measures of the composite score and their weights (lemay2022, 2.3.4).
COMPOSITE = {"dice": 1.0, "precision": 1.0, "recall": 1.0, "absolute_volume_difference": -1.0}


def things(
    frame: pd.DataFrame, condition: str = "condition", pair: Sequence[str] | None = None
) -> list[str]:
    """Columns that say which thing a tidy frame's row is about, after checking that all are there.

    Without `pair` those of ``subject``, ``image``, ``slice`` and ``split`` that the frame has.
    """
    usual = [c for c in ("subject", "image", "slice", "split") if c in frame and c != condition]
    keys = usual if pair is None else list(pair)
    wanted = (condition, "class", "measure", "value", *keys)
    if missing := [c for c in wanted if c not in frame]:
        raise SettingsError(
            f"frame: no column {', '.join(map(repr, missing))}; there are "
            f"{', '.join(map(str, frame.columns))}."
        )
    return keys


def composite_score(
    frame: pd.DataFrame,
    *,
    condition: str = "condition",
    weights: Mapping[str, float] = COMPOSITE,
    pair: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Weighted sum of z-scores across candidates, image by image (lemay2022, 2.3.4 and Fig. 5).

    Each measure of each structure is standardised over all images of all candidates together (mean
    0, population standard deviation 1; a measure that never varies gives 0), the z-scores are
    added with their weights, and an image's score is the mean over its structures. A score says
    how a candidate stands among those compared, not how good it is: with other candidates it is
    another number.

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy: identifying columns, `condition`, ``class``, ``measure``, ``value``.
    condition : str
        Column of the candidates.
    weights : mapping of str to float
        Measure to weight; negative where less is better.
    pair : sequence of str, optional
        Columns that say which rows of two candidates belong together; ``subject``, ``image``,
        ``slice`` and ``split``, as far as the frame has them, if left out.

    Returns
    -------
    pandas.DataFrame
        The `pair` columns, ``subject``, `condition`, ``class`` (``"all"``), ``measure``
        (``"composite"``) and ``value``, one row per image and candidate. A structure for which
        any measure of any candidate is missing, undefined or infinite in an image counts for none
        of them there, so that all are scored on the same; NaN where no structure is left.

    Raises
    ------
    SettingsError
        If a column or measure is missing, or a row occurs twice.
    """
    keys = things(frame, condition, pair)
    if missing := [m for m in weights if not (frame["measure"] == m).any()]:
        raise SettingsError(
            f"weights: the frame has no measure {', '.join(missing)}; there are "
            f"{', '.join(sorted(set(frame['measure'])))}."
        )
    chosen = frame[frame["measure"].isin(list(weights))]
    index = [*keys, "class", condition, "measure"]
    if (twice := chosen.duplicated(index)).any():
        row = chosen[twice].iloc[0]
        raise SettingsError(
            f"pair: {', '.join(f'{n}={row[n]!r}' for n in index)} occurs more than once; add the "
            "columns that tell the rows apart to `pair`."
        )
    order = list(dict.fromkeys(chosen[condition]))
    table = chosen.set_index(index)["value"].astype(float).unstack([condition, "measure"])
    table = table.reindex(columns=pd.MultiIndex.from_product([order, list(weights)]))
    table.loc[~np.isfinite(table.to_numpy()).all(axis=1)] = np.nan
    scores = []
    for _, part in table.groupby("class", sort=False):
        total = 0.0
        for measure, weight in weights.items():
            total = total + weight * _standard(part.xs(measure, axis=1, level=1)[order])
        scores.append(total)
    images = pd.concat(scores).groupby(keys, sort=False).mean()
    lines = images.rename_axis(columns=condition).stack(future_stack=True).rename("value")
    found = lines.reset_index()
    if "subject" in frame and "subject" not in keys:
        owner = frame.drop_duplicates(keys)[[*keys, "subject"]]
        found = found.merge(owner, on=keys, how="left")
    return found.assign(**{"class": "all", "measure": "composite"})


def _standard(values: pd.DataFrame) -> pd.DataFrame:
    array = values.to_numpy(dtype=float)
    known = array[~np.isnan(array)]
    spread = known.std() if known.size else 0.0
    if not spread > 1e-13 * np.abs(known).max(initial=0.0):
        return values * 0.0
    return (values - known.mean()) / spread


def entropy_errors(frame: pd.DataFrame, *, voxels: int | None = None) -> pd.DataFrame:
    """How far each prediction's entropy is from the raters', image by image (lemay2022, Table 2).

    Parameters
    ----------
    frame : pandas.DataFrame
        Tidy, with the measures ``entropy`` and ``gt_entropy`` (nats, means over voxels).
    voxels : int, optional
        Voxels of an image. With it also the error of the sums over voxels, as published; images
        must have the same number then.

    Returns
    -------
    pandas.DataFrame
        Rows ``entropy_error`` (nats) and ``entropy_error_total`` (nats x voxels), to append to the
        frame; their mean is the mean absolute error. NaN where either entropy is undefined: with
        one rater there is no GT entropy.
    """
    own = rows(frame, "entropy").reset_index(drop=True)
    keys = [c for c in own if c not in ("measure", "value")]
    other = rows(frame, "gt_entropy").drop_duplicates(keys)
    both = own.merge(other[[*keys, "value"]], on=keys, how="left", suffixes=("", "_raters"))
    error = (both["value"] - both.pop("value_raters")).abs()
    parts = [both.assign(measure="entropy_error", value=error)]
    if voxels is not None:
        parts.append(both.assign(measure="entropy_error_total", value=voxels * error))
    return pd.concat(parts, ignore_index=True)
