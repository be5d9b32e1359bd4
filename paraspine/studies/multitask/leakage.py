"""What a split by slice flatters: slices of one person on both of its sides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.frames import rows
from paraspine.studies.multitask.frames import SHOWN, plain_name
from paraspine.studies.multitask.words import turn_of

__all__ = ["leak_table", "sides_shared", "pretty_leak", "leak_sentence"]

#: What `leak_table` compares.
REPORTED, SAME = "as reported", "on the same slices"


def leak_table(frames: Mapping[tuple[str, str], pd.DataFrame], *, resamples: int = 2000):
    """Errors of networks trained and tested by slice, and by subject.

    Parameters
    ----------
    frames : mapping of (str, str) to pandas.DataFrame
        `joint_frame` of the test images, by the network's name and how it was split: ``"slice"``
        or ``"subject"``.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``measure``, ``compared``: ``"as reported"`` (each network on its own test set,
        which is what a paper prints) or ``"on the same slices"`` (those that are in both test sets:
        the network of the split by slice has learned from other slices of their subjects, the
        other one has not); ``by_slice`` and ``by_subject`` (means), ``mean`` (their difference),
        ``low``, ``high`` (resampling subjects), ``slices`` and ``clusters`` (how many the
        difference rests on). Units of 1; NaN where no slice is in both.
    """
    lines = []
    for name in dict.fromkeys(network for network, _ in frames):
        leaking, clean = frames[name, "slice"], frames[name, "subject"]
        for measure in dict.fromkeys(leaking["measure"]):
            one, other = rows(leaking, measure), rows(clean, measure)
            keys = ["subject", "image", "slice", "class"]
            pair = one.merge(other, on=keys, suffixes=("_a", "_b"))
            apart = _apart(one, other, resamples)
            same = statistics.Estimate(np.nan)
            if len(pair):
                pair = pair[pair[["value_a", "value_b"]].notna().all(axis=1)]
                same = statistics.difference_interval(
                    pair["value_a"].to_numpy(), pair["value_b"].to_numpy(),
                    pair["subject"].to_numpy(), resamples,
                )  # fmt: skip
            sets = {
                REPORTED: (one["value"].mean(), other["value"].mean(), apart, (one, other)),
                SAME: (pair["value_a"].mean(), pair["value_b"].mean(), same, (pair,)),
            }
            for compared, (a, b, found, used) in sets.items():
                both = pd.concat([u[["subject", "image", "slice"]] for u in used])
                lines.append(
                    {
                        "network": plain_name(name),
                        "measure": measure,
                        "compared": compared,
                        "by_slice": a,
                        "by_subject": b,
                        "mean": found.value,
                        "low": found.low,
                        "high": found.high,
                        "slices": len(both.drop_duplicates()),
                        "clusters": both["subject"].nunique(),
                    }
                )
    columns = ["network", "measure", "compared", "by_slice", "by_subject", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "slices", "clusters"])


def _apart(one: pd.DataFrame, other: pd.DataFrame, resamples: int) -> statistics.Estimate:
    """Difference of two means over different images, whose subjects are resampled together."""
    both = pd.concat([one.assign(side=0), other.assign(side=1)])
    both = both[both["value"].notna()]
    draws = statistics.cluster_weights(both["subject"].to_numpy(), resamples)
    groups = len(draws.labels)
    means = []
    for side in (0, 1):
        chosen = (both["side"] == side).to_numpy()
        codes, values = draws.codes[chosen], both["value"].to_numpy()[chosen]
        total = np.bincount(codes, values, minlength=groups)
        count = np.bincount(codes, minlength=groups)
        weights = np.vstack([np.ones((1, groups), int), draws.weights])
        below = weights @ count
        means.append(
            np.divide(weights @ total, below, out=np.full(len(below), np.nan), where=below > 0)
        )
    difference = means[0] - means[1]
    if groups < 2:
        return statistics.Estimate(float(difference[0]))
    return statistics.Estimate(
        float(difference[0]), *statistics.percentile_interval(difference[1:])
    )


def sides_shared(data, sides) -> tuple[int, int]:
    """Count the test slices, and those whose subject has a slice to learn from as well.

    Parameters
    ----------
    data : slices.Slices
        All slices.
    sides : array-like of str, (N,)
        Their sides.
    """
    sides = np.asarray(sides)
    learned = set(data.table["subject"][sides != "test"])
    tested = data.table["subject"][sides == "test"]
    return len(tested), int(tested.isin(learned).sum())


def pretty_leak(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The comparison of splits for reading, in the units of Table 3.1.

    Parameters
    ----------
    table : pandas.DataFrame
        `leak_table`.
    source : str
        Where the data comes from.
    """
    lines = []
    for row in table.to_dict("records"):
        words, scale, digits = SHOWN[row["measure"]]
        found = statistics.Estimate(*(scale * row[k] for k in ("mean", "low", "high")))
        lines.append(
            {
                "network": row["network"],
                "measure": words,
                "compared": row["compared"],
                "split by slice": text.number(scale * row["by_slice"], digits),
                "split by subject": text.number(scale * row["by_subject"], digits),
                "difference (95 % interval)": text.cell(found, digits + 1),
                "slices": row["slices"],
                "subjects": row["clusters"],
            }
        )
    keys = ["network", "measure", "compared"]
    shown = pd.DataFrame(lines, columns=None if lines else keys)
    return shown.set_index(keys).rename_axis(columns=source)


def leak_sentence(table: pd.DataFrame, shared: tuple[int, int]) -> str:
    """How much better the split by slice makes networks look, and whether that can be told.

    Parameters
    ----------
    table : pandas.DataFrame
        `leak_table`.
    shared : (int, int)
        `sides_shared` of the split by slice.
    """
    if table.empty:
        return "Left out: it takes a network trained on each of the two splits."
    words, printed = [], []
    for row in table[table["compared"] == REPORTED].to_dict("records"):
        unit, scale, digits = SHOWN[row["measure"]]
        a, b = (text.number(scale * row[k], digits) for k in ("by_slice", "by_subject"))
        printed.append(f"{row['network']}, {unit}: {a} by slice, {b} by subject")
    for row in table[table["compared"] == SAME].to_dict("records"):
        unit, scale, digits = SHOWN[row["measure"]]
        found = statistics.Estimate(*(scale * row[k] for k in ("mean", "low", "high")))
        if np.isnan(found.value):
            words.append(f"{row['network']}, {unit}: no slice is in both test sets")
            continue
        better, worse = ("flatters", "does the opposite of flattering")
        if row["measure"] != "dice":
            better, worse = worse, better
        turn = turn_of(row, above=better, below=worse, unclear="can't be told from no leak")
        words.append(
            f"{row['network']}, {unit}: {text.interval(found, digits + 1)} over "
            f"{text.count(row['slices'], 'slice')} of {text.count(row['clusters'], 'subject')}, "
            f"which {turn}"
        )
    tested, torn = shared
    return (
        f"Of {text.count(tested, 'test slice')} of the split by slice, {torn} are of a subject "
        f"whose other slices were learned from. A paper would report: {'; '.join(printed)}. On "
        f"slices that both splits test, by slice minus by subject: {'; '.join(words)}. Each split "
        "was trained once, so the difference also holds what another seed would change."
    )
