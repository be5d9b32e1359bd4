"""Networks against each other, and uncertainty divided into what it shares with disagreement."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.measures.display import estimate
from paraspine.measures.frames import rows
from paraspine.measures.tables import ways, wide

__all__ = [
    "comparison_display",
    "comparison_sentence",
    "comparison_table",
    "partition_sentence",
    "partition_table",
    "sources_of_uncertainty",
]

#: Ways of sampling whose uncertainty is taken as epistemic, and as aleatoric.
EPISTEMIC = ("dropout", "ensemble")
ALEATORIC = ("tta",)
SCORES = ("entropy", "expected_entropy", "mutual_information")


def comparison_table(
    frame: pd.DataFrame,
    measure: str = "dice",
    *,
    by_subject: bool = False,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Paired t tests between architectures, per class (roshanzamir2023, Table 4).

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    measure : str
        What is compared.
    by_subject : bool
        Average a subject's differences first, since its slices are not independent; the paper
        pairs by image.
    resamples : int
        Bootstrap resamples of subjects, for all intervals.

    Returns
    -------
    pandas.DataFrame
        `statistics.paired_test` with the columns ``trained`` (fusion and method, an ensemble with
        its kind and size) and ``class``; t tests, adjusted by Holm over the table, and intervals
        from resampling subjects.
        Empty with one architecture.
    """
    chosen = rows(frame, measure)
    chosen = chosen.assign(trained=chosen["fusion"] + ", " + ways(chosen))
    if chosen["model"].nunique() < 2:
        return pd.DataFrame(columns=["trained", "class", "a", "b", "n", "difference", "p_holm"])
    keys = [c for c in ("subject", "image", "slice") if c in chosen]
    chosen = chosen.groupby([*keys, "trained", "class", "model"], sort=False, as_index=False)[
        "value"
    ].mean()  # over seeds
    several = chosen.groupby("trained")["model"].transform("nunique") > 1
    return statistics.paired_test(
        chosen[several],
        "value",
        "model",
        keys,
        by=["trained", "class"],
        average="subject" if by_subject else None,
        clusters="subject",
        resamples=resamples,
    )


def paired_both_ways(frame, condition, pair, method="t", *, resamples, **options) -> pd.DataFrame:
    """Paired tests of ``value`` by image, with intervals over subjects, and by subject beside them.

    Returns
    -------
    pandas.DataFrame
        `statistics.paired_test` by image, and ``subjects``, ``p_subject``, ``p_holm_subject`` and
        ``effect_subject`` of the test whose images are averaged within subjects first.
    """
    given = frame, "value", condition, pair, method
    image = statistics.paired_test(*given, clusters="subject", resamples=resamples, **options)
    subject = statistics.paired_test(*given, average="subject", **options)
    names = {"n": "subjects"} | {n: f"{n}_subject" for n in ("p", "p_holm", "effect")}
    return image.assign(**{to: subject[name] for name, to in names.items()})


def comparison_display(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Table 4 for reading: each architecture's mean, the difference, p and the effect size."""
    shown = pd.DataFrame(index=table.index)
    for name in ("trained", "class"):
        shown[name] = table[name]
    for side in ("a", "b"):
        shown[f"{side}: mean"] = [
            f"{row[side]}: {text.interval(_mean(row, side), 3)}" for _, row in table.iterrows()
        ]
    if len(table):
        estimates = table.rename(columns={"difference": "mean"})
        shown["a - b"] = [text.interval(estimate(r), 3) for _, r in estimates.iterrows()]
        shown["p"] = [text.p_value(p) for p in table["p"]]
        shown["p (Holm)"] = [text.p_value(p) for p in table["p_holm"]]
        sizes = table[["effect", "effect_low", "effect_high"]].to_numpy(dtype=float)
        shown["effect, d"] = [text.interval(statistics.Estimate(*size)) for size in sizes]
        shown["pairs"] = table["n"]
    return shown.set_index(["trained", "class"]).rename_axis(columns=source)


def _mean(row, side: str) -> statistics.Estimate:
    ends = (row[f"mean_{side}_{end}"] for end in ("low", "high"))
    return statistics.Estimate(row[f"mean_{side}"], *ends)


def comparison_sentence(table: pd.DataFrame, what: str = "Dice") -> str:
    """In how many cells one architecture is better than another, after adjustment."""
    if table.empty:
        return "Only one architecture was run, so there is nothing to compare."
    words = []
    for (a, b), part in table.groupby(["a", "b"], sort=False):
        sure = part[part["p_holm"] < 0.05]
        better = int((sure["difference"] > 0).sum())
        worse = int((sure["difference"] < 0).sum())
        words.append(
            f"Of {text.count(len(part), 'comparison')} of {a} with {b}, {what} is higher for {a} "
            f"in {better} and for {b} in {worse} at an adjusted p below 0.05; in "
            f"{len(part) - better - worse} the data can't tell"
        )
    if dropped := int(table["dropped"].sum() if "dropped" in table else 0):
        words.append(
            f"{text.count(dropped, 'pair is', 'pairs are')} left out in all, where {what} is "
            "undefined for one of the two: a structure that neither the network nor the vote has "
            "on an image. The means here can therefore differ from those of a network by itself"
        )
    return ". ".join(words) + "."


def sources_of_uncertainty(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs of an epistemic with the aleatoric uncertainty of the same network.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``fusion``, ``seed``, ``epistemic`` and ``aleatoric`` (their ``who``). An
        ensemble goes with the test-time augmentation of the network of the same training target.
    """
    runs = frame.drop_duplicates("who")
    found = []
    for (model, fusion, seed), part in runs.groupby(["model", "fusion", "seed"], sort=False):
        names = dict(zip(part["method"], part["who"], strict=True))
        for source in EPISTEMIC:
            for partner in ALEATORIC:
                if source in names and partner in names:
                    found.append((model, fusion, seed, names[source], names[partner]))
    return pd.DataFrame(found, columns=["model", "fusion", "seed", "epistemic", "aleatoric"])


def partition_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Share of the variance of GT entropy that uncertainties explain (roshanzamir2023, Table 5).

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.

    Returns
    -------
    pandas.DataFrame
        ``epistemic`` and ``aleatoric`` (whose), ``score`` (which measure of the epistemic
        samples; the aleatoric is always predictive entropy, as published), ``part``, ``mean``,
        ``low``, ``high`` in percent. Empty without both kinds, or without GT entropy.
    """
    images = wide(frame)
    if "gt_entropy" not in images:  # nobody rated any of them
        images = images.assign(gt_entropy=np.nan)
    keys = [c for c in ("subject", "image", "slice") if c in images]
    lines = []
    for _, pair in sources_of_uncertainty(frame).iterrows():
        first = images[images["who"] == pair["epistemic"]].set_index(keys)
        second = images[images["who"] == pair["aleatoric"]].set_index(keys)["entropy"]
        second = second.reindex(first.index)
        subjects = first.index.get_level_values("subject").to_numpy()
        for score in SCORES:
            known = first[score].notna() & first["gt_entropy"].notna() & second.notna()
            if known.sum() < 4:
                continue
            table = statistics.variance_partition_table(
                first["gt_entropy"][known].to_numpy(),
                first[score][known].to_numpy(),
                second[known].to_numpy(),
                subjects[known.to_numpy()],
                resamples,
            )
            for _, row in table.iterrows():
                low, high = 100 * row["low"], 100 * row["high"]
                lines.append(
                    (
                        pair["epistemic"], pair["aleatoric"], score, row["part"],
                        100 * row["value"], low, high,
                    )
                )  # fmt: skip
    columns = ["epistemic", "aleatoric", "score", "part", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def partition_sentence(table: pd.DataFrame) -> str:
    """Whether the epistemic uncertainty explains more of the disagreement than the aleatoric."""
    if table.empty:
        return (
            "Left out: dividing the variance needs GT entropy, and dropout or an ensemble beside "
            "test-time augmentation."
        )
    words = []
    chosen = table[table["score"] == "entropy"]
    for who, part in chosen.groupby("epistemic", sort=False):
        found = part.set_index("part")
        if not np.isfinite(found.loc["joint", "mean"]):
            continue
        words.append(
            f"{who}: epistemic {text.number(found.loc['epistemic', 'mean'], 1)} %, aleatoric "
            f"{text.number(found.loc['aleatoric', 'mean'], 1)} %, both "
            f"{text.interval(estimate(found.loc['joint']), 1)} %"
        )
    if not words:
        return "GT entropy or uncertainty is the same for all images: there is nothing to divide."
    return "Variance of GT entropy explained. " + "; ".join(words) + "."
