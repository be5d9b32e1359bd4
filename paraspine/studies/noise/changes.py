"""By how much a correlation changes when one knob of the phantom is turned, slices paired."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics
from paraspine.studies.noise.frames import KINDS, KNOBS, shown_knob, with_mixed

__all__ = ["noise_changes"]


def noise_changes(images: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """By how much r changes from the lowest to the highest value of each knob, slices paired.

    The noise is turned at the first bias field, at the lowest and the highest coupling; the bias
    field and the coupling at every noise level, the coupling in the mixed cohort too.

    Parameters
    ----------
    images : pandas.DataFrame
        `noise_images`.
    resamples : int
        Bootstrap resamples of subjects, the same for both ends.

    Returns
    -------
    pandas.DataFrame
        ``knob``, ``kind``, ``noise``, ``bias_field``, ``noise_coupling`` (where it stays: text; the
        knob itself is ``"from → to"``), ``first``, ``last`` (both r), ``mean`` (their difference),
        ``low``, ``high``. Knobs with one value are left out.
    """
    table = with_mixed(images)
    levels = {knob: list(dict.fromkeys(images[knob])) for knob in KNOBS}
    start = {knob: shown_knob(min(values)) for knob, values in levels.items()}
    start["bias_field"] = shown_knob(levels["bias_field"][0])
    places = [("bias_field", level) for level in map(shown_knob, levels["noise"])]
    places += [("noise_coupling", level) for level in dict.fromkeys(table["noise"])]
    couplings = dict.fromkeys(shown_knob(f(levels["noise_coupling"])) for f in (min, max))
    turns = [("noise", start | {"noise_coupling": coupling}) for coupling in couplings]
    turns += [(knob, start | {"noise": level}) for knob, level in places]
    lines = []
    for knob, where in turns:
        ends = shown_knob(min(levels[knob])), shown_knob(max(levels[knob]))
        if ends[0] == ends[1]:
            continue
        first, last = (_cell(table, where | {knob: end}) for end in ends)
        for kind in KINDS:
            found = _change(first, last, kind, resamples)
            lines.append({"knob": knob, "kind": kind, **where, knob: " → ".join(ends), **found})
    columns = ["knob", "kind", *KNOBS, "first", "last", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _cell(table: pd.DataFrame, where: dict) -> pd.DataFrame:
    chosen = np.ones(len(table), dtype=bool)
    for knob, value in where.items():
        chosen &= (table[knob].map(shown_knob) == value).to_numpy()
    return table[chosen]


def _change(first: pd.DataFrame, last: pd.DataFrame, kind: str, resamples: int) -> dict:
    """Both r and their difference, with an interval from draws of subjects that both share."""
    ends = [
        statistics.pearson(cell["gt_entropy"], cell[kind], cell["subject"].to_numpy(), resamples)
        for cell in (first, last)
    ]
    drawn = [_resampled(cell, kind, resamples) for cell in (first, last)]
    low, high = statistics.percentile_interval(drawn[1] - drawn[0])
    return {
        "first": ends[0].value,
        "last": ends[1].value,
        "mean": ends[1].value - ends[0].value,
        "low": low,
        "high": high,
    }


def _resampled(cell: pd.DataFrame, kind: str, resamples: int) -> np.ndarray:
    """Pearson's r in each resample of the subjects; NaN where it is undefined."""
    subjects = np.sort(cell["subject"].unique())
    draws = statistics.cluster_weights(subjects, resamples)
    known = cell[cell[["gt_entropy", kind]].notna().all(axis=1)]
    x, y = (known[c].to_numpy(float) for c in ("gt_entropy", kind))
    if len(x) < 3 or len(subjects) < 2 or not np.ptp(x) or not np.ptp(y):
        return np.full(resamples, np.nan)
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    codes = np.searchsorted(subjects, known["subject"].to_numpy())
    columns = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    sums = np.stack([np.bincount(codes, c, minlength=len(subjects)) for c in columns], axis=1)
    n, x, y, xx, yy, xy = (draws.weights @ sums).T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2))
        r = (xy / n - x * y / n**2) / spread
    return np.where((n >= 3) & (spread > 1e-9), r, np.nan)
