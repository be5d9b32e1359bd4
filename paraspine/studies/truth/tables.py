"""Errors of panels and networks against the truth, and networks in the units of raters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence import influence
from paraspine.evidence.conditions import method_label, network_label, target_label
from paraspine.frames import rows
from paraspine.statistics import sums
from paraspine.studies.truth.panels import (
    APPROXIMATED,
    CORRECTED,
    EXPECTED,
    GRID,
    MAJORITY,
    SOFT,
    STAPLE,
)

KEYS = ["subject", "image", "slice"]
#: What each line of `entropy_shares` is called.
SHARES = {
    SOFT: "measured",
    EXPECTED: "expected, exactly",
    APPROXIMATED: "expected, Miller-Madow approximation",
    CORRECTED: "measured, Miller-Madow corrected",
    STAPLE: "STAPLE posterior",
}
ERRORS = {"brier": "Brier", "entropy_bias": "entropy bias", "entropy_error": "entropy error"}


def condition_labels(wanted: Sequence[Mapping]) -> list[str]:
    """Labels of `plan.conditions`, with the seed where there are several."""
    several = len({one["seed"] for one in wanted}) > 1
    found = []
    for one in wanted:
        record = {"kind": "independent seeds", "passes": len(one["members"])}
        seed = [f"seed {one['seed']}"] if several else []
        parts = [network_label(one["model"]), target_label(one["fusion"]), *seed]
        found.append(", ".join([*parts, method_label(one["method"], record)]))
    return found


def recovery_table(
    frame: pd.DataFrame, measure: str = "brier", only: Sequence[str] = ()
) -> pd.DataFrame:
    """Mean error × 1000 for each number of raters (0: networks) and estimate, with its interval.

    ``brier`` is the mean over the structures without background; entropies are in nats.
    """
    chosen = rows(frame, measure)
    names = list(dict.fromkeys(chosen["class"]))
    if len(names) > 1:  # background comes first
        chosen = chosen[chosen["class"] != names[0]]
    if only:
        chosen = chosen[chosen["condition"].isin(list(only))]
    chosen = chosen.assign(value=1e3 * chosen["value"])
    return statistics.mean_table(chosen, by=["raters", "condition"])


def recovery_curves(frame: pd.DataFrame) -> pd.DataFrame:
    """`recovery_table` of three measures (in words), for `figures.small_multiples`."""
    shown = {
        "brier": ("Brier score against P* (× 10⁻³)", [SOFT, EXPECTED, MAJORITY, STAPLE]),
        "entropy_error": ("entropy error (10⁻³ nats)", [SOFT, MAJORITY, STAPLE]),
        "entropy_bias": ("entropy bias (10⁻³ nats)", [SOFT, EXPECTED, MAJORITY, STAPLE]),
    }
    parts = [
        recovery_table(frame, measure, only).assign(measure=words)
        for measure, (words, only) in shown.items()
    ]
    return pd.concat(parts, ignore_index=True).rename(columns={"mean": "value"})


def entropy_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Percent of the true entropy that a few raters' entropy is: ``raters``, ``what``, ``mean``.

    Ratios of means over slices, with intervals; NaN where nobody ever disagrees.
    """
    entropies = rows(frame, "entropy_bias").set_index([*KEYS, "condition"])
    true = _true_entropy(frame)
    lines = []
    for name, what in SHARES.items():
        for raters, part in entropies.xs(name, level="condition").groupby("raters"):
            found = _ratio(true + part["value"].reindex(true.index), true)
            lines.append((int(raters), what, 100 * found.value, 100 * found.low, 100 * found.high))
    table = pd.DataFrame(lines, columns=["raters", "what", "mean", "low", "high"])
    return table.sort_values("raters", kind="stable", ignore_index=True)


def effective_raters(frame: pd.DataFrame, raters: int) -> pd.DataFrame:
    """Effective number of raters of each network: whose soft label has its Brier score.

    The soft label of R independent raters has the expected score ``mean P* (1 - P*) / R``, so a
    network of score B is worth ``mean P* (1 - P*) / B`` raters. ``condition``, ``mean``, its
    interval, ``clusters`` and the columns of `influence.Influence` on being other than `raters`.
    """
    variance, brier = rows(frame, "variance"), rows(frame, "brier")
    background = variance["class"].iloc[0]
    one = variance[variance["class"] != background].groupby(KEYS, sort=False)["value"].mean()
    brier = brier[(brier["raters"] == 0) & (brier["class"] != background)]
    own = brier.groupby(["condition", *KEYS], sort=False)["value"].mean()
    return _ratios({name: (one, own[name].reindex(one.index)) for name in _names(brier)}, raters)


def network_table(frame: pd.DataFrame, raters: int) -> pd.DataFrame:
    """Errors × 1000 of the networks, below those of the raters that they learned from."""
    background = rows(frame, "variance")["class"].iloc[0]
    chosen = frame[frame["measure"].isin(list(ERRORS)) & (frame["class"] != background)]
    panel = (chosen["raters"] == raters) & chosen["condition"].isin([SOFT, MAJORITY, STAPLE])
    names = chosen["condition"] + " of " + text.count(raters, "rater")
    chosen = chosen.assign(
        condition=chosen["condition"].where(~panel, names),
        measure=chosen["measure"].map(ERRORS),
        value=1e3 * chosen["value"],
    )[panel | (chosen["raters"] == 0)]
    return statistics.mean_table(chosen, by=["condition", "measure"])


def network_entropy(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean entropy of each network as a multiple of the true one; columns as `effective_raters`."""
    own, true = rows(frame, "entropy"), _true_entropy(frame)
    own = own[(own["raters"] == 0) & ~own["condition"].isin(["P*", GRID])]
    each = own.set_index(["condition", *KEYS])["value"]
    return _ratios({name: (each[name].reindex(true.index), true) for name in _names(own)}, 1.0)


def _names(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame["condition"]))


def _ratios(pairs: Mapping[str, tuple[pd.Series, pd.Series]], null: float) -> pd.DataFrame:
    """Ratio of two means for each condition, and the influence of single subjects on it."""
    lines = []
    for name, (top, bottom) in pairs.items():
        found, subjects = _ratio(top, bottom), bottom.index.get_level_values("subject").to_numpy()
        line = {"condition": name, "mean": found.value, "low": found.low, "high": found.high}
        moved = influence.ratio(top, bottom, subjects, null=null).columns()
        lines.append(line | {"clusters": len(set(subjects))} | moved)
    return pd.DataFrame(lines, columns=None if lines else ["condition", "mean", "low", "high"])


def _true_entropy(frame: pd.DataFrame) -> pd.Series:
    own = rows(frame, "entropy")
    return own[own["condition"] == "P*"].set_index(KEYS)["value"]


def _ratio(top: pd.Series, bottom: pd.Series) -> statistics.Estimate:
    """Ratio of two means over slices, with its interval over subjects."""
    subjects = bottom.index.get_level_values("subject").to_numpy()
    draws = statistics.cluster_weights(subjects, values=np.stack([top, bottom], axis=1))
    return sums.estimate(sums.ratio(draws, top.to_numpy(), bottom.to_numpy()))
