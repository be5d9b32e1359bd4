"""Overlap, Brier score, correlation and explained variance of each condition, with intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import statistics
from paraspine.evidence import influence
from paraspine.evidence.comparisons import paired_both_ways
from paraspine.evidence.conditions import (
    RATERS,
    by_subject,
    conditions,
    method_labels,
    summarise,
    target_label,
    wide,
)
from paraspine.frames import rater_frame, rows
from paraspine.sampling.registry import ALEATORIC, EPISTEMIC
from paraspine.statistics import sums

#: Predictive entropy and its two parts.
SCORES = ("entropy", "expected_entropy", "mutual_information")
#: Columns of a result on which the influence of single subjects is unknown.
NOBODY_MOVED = influence.Influence().columns()
#: Columns that identify an image.
IMAGE = ("subject", "image", "slice")


def overlap_table(frame: pd.DataFrame, data) -> pd.DataFrame:
    """Dice of each condition by structure, and of the raters in pairs on the same images."""
    networks = summarise(frame, "dice", ["condition", "class"])
    if (data.rated.sum(axis=1) < 2).all():
        return networks
    raters = rows(rater_frame(data), "pairwise_dice").assign(condition=RATERS)
    agreed = statistics.mean_table(raters, by=["condition", "class"])
    return pd.concat([networks, agreed], ignore_index=True)


def brier_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Brier score of each condition by structure, in thousandths (Table 1)."""
    chosen = _without_background(frame, "brier")
    chosen = chosen.assign(value=1e3 * chosen["value"])
    return statistics.mean_table(chosen, by=["condition", "class"])


def correlation_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Correlation of GT entropy with each uncertainty over images (Table 3).

    ``kind`` is ``"pearson"`` as published, ``"spearman"``, or ``"by subject"`` (Pearson over the
    subjects' means). ``p_holm`` is adjusted over the conditions of a kind and score: the question
    of one table. Of Pearson's r over images also what leaving one subject out does.
    """
    images, subjects = wide(frame), wide(by_subject(frame))
    parts = []
    for score in SCORES:
        if not {score, "gt_entropy"} <= set(images):
            continue
        known = images[images[score].notna()]
        if not known["gt_entropy"].notna().any():
            continue
        means = subjects[subjects[score].notna()]
        for kind, chosen, method in (
            ("pearson", known, "pearson"),
            ("spearman", known, "spearman"),
            ("by subject", means, "pearson"),
        ):
            found = statistics.correlation_table(
                chosen, "gt_entropy", score, by=["condition"], method=method
            )
            if kind == "pearson":
                found = found.join(_left_out(known, score), on="condition")
            parts.append(found.assign(score=score, kind=kind))
    columns = ["condition", "score", "kind", "n", "clusters", "r", "low", "high", "p", "p_holm"]
    columns += list(NOBODY_MOVED)
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    place = {name: k for k, name in enumerate(conditions(frame))}
    table = table.sort_values("condition", key=lambda names: names.map(place), kind="stable")
    return table.reset_index(drop=True)[columns]


def _left_out(images: pd.DataFrame, score: str) -> pd.DataFrame:
    """What leaving one subject out does to r, by condition."""
    found = {
        name: influence.correlation(part["gt_entropy"], part[score], part["subject"]).columns()
        for name, part in images.groupby("condition", sort=False)
    }
    return pd.DataFrame.from_dict(found, orient="index")


def comparison_table(frame: pd.DataFrame, *, by_subject: bool = False) -> pd.DataFrame:
    """Paired t tests of Dice between architectures by structure (Table 4), Holm over the table.

    Seeds of a network are averaged first, and with `by_subject` the images of a subject.
    """
    chosen = rows(frame, "dice")
    trained = chosen["fusion"].map(target_label) + ", " + method_labels(chosen)
    chosen = chosen.assign(trained=trained)
    if chosen["model"].nunique() < 2:
        return pd.DataFrame(columns=["trained", "class", "a", "b", "n", "difference", "p_holm"])
    keys = _image_keys(chosen)
    names = [*keys, "trained", "class", "model"]
    chosen = chosen.groupby(names, sort=False, as_index=False)["value"].mean()
    several = chosen.groupby("trained")["model"].transform("nunique") > 1
    return statistics.paired_test(
        chosen[several],
        "value",
        "model",
        keys,
        by=["trained", "class"],
        average="subject" if by_subject else None,
        clusters="subject",
    )


#: What is compared: column, column that both share, value that others are compared with.
QUESTIONS = {
    "architectures": ("model", "fusion", None),
    "targets": ("fusion", "model", "majority"),
}
DIFFERENCES = [
    "compared",
    "model",
    "fusion",
    "method",
    "method_label",
    "a",
    "b",
    "n",
    "mean_a",
    "mean_b",
]
DIFFERENCES += ["difference", "low", "high", "effect", "effect_low", "effect_high", "p", "p_holm"]
DIFFERENCES += ["subjects", "p_subject", "p_holm_subject", *NOBODY_MOVED]


def difference_table(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Differences of a measure's mean over structures, by architecture and by training target.

    Paired over images, intervals from subjects; t tests by image and by subject, each adjusted by
    Holm over the rows of a question (``compared``). ``model`` or ``fusion`` is what both have in
    common, the other one is empty. Seeds of a network are averaged. An image of which a structure
    is undefined takes no part.
    """
    chosen = _without_background(frame, measure)
    chosen = chosen.assign(method_label=method_labels(chosen))
    keys = _image_keys(chosen)
    names = [*keys, "model", "fusion", "method", "method_label"]
    chosen = chosen.groupby([*names, "class"], sort=False, as_index=False)["value"].mean()
    mean = chosen.groupby(names, sort=False)["value"].agg(lambda own: own.mean(skipna=False))
    chosen = mean.reset_index()
    parts = []
    for question, (condition, shared, reference) in QUESTIONS.items():
        cell = chosen.groupby([shared, "method_label"], sort=False)[condition]
        comparable = cell.transform("nunique") > 1
        if reference is not None:
            comparable &= cell.transform(lambda found, known=reference: known in set(found))
        if comparable.any():
            part, by = chosen[comparable], [shared, "method", "method_label"]
            table = paired_both_ways(part, condition, keys, by=by, reference=reference)
            moved = [_moved(part, condition, keys, row, by) for row in table.to_dict("records")]
            table = table.assign(compared=question, **{condition: ""})
            parts.append(pd.concat([table, pd.DataFrame(moved)], axis=1))
    if not parts:
        return pd.DataFrame(columns=DIFFERENCES)
    return pd.concat(parts, ignore_index=True)[DIFFERENCES]


def _moved(chosen: pd.DataFrame, condition: str, keys, row: dict, by: list[str]) -> dict:
    """What leaving one subject out does to a paired difference."""
    own = chosen[(chosen[by] == pd.Series({name: row[name] for name in by})).all(axis=1)]
    pairs = own.set_index([*keys, condition])["value"].unstack(condition)
    subjects = pairs.index.get_level_values("subject")
    return influence.difference(pairs[row["a"]], pairs[row["b"]], subjects).columns()


def sources_of_uncertainty(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs of an epistemic with the aleatoric condition of the same network and seed."""
    runs = frame.drop_duplicates("condition")
    found = []
    for network, part in runs.groupby(["model", "fusion", "seed"], sort=False):
        names = dict(zip(part["method"], part["condition"], strict=True))
        found += [
            (*network, names[source], names[partner])
            for source in EPISTEMIC
            for partner in ALEATORIC
            if source in names and partner in names
        ]
    return pd.DataFrame(found, columns=["model", "fusion", "seed", "epistemic", "aleatoric"])


def partition_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Percent of the variance of GT entropy that each uncertainty and both explain (Table 5).

    ``score`` says which entropy of the epistemic samples; the aleatoric is predictive entropy.
    """
    lines = []
    for pair, images in paired_images(frame):
        for score in SCORES:
            known = images[["subject", "gt_entropy", score, "aleatoric"]].dropna()
            if len(known) < 4:
                continue
            values = [known[name].to_numpy() for name in ("gt_entropy", score, "aleatoric")]
            table = statistics.variance_partition_table(*values, known["subject"].to_numpy())
            moved = _share_moved(values, known["subject"]) if score == SCORES[0] else {}
            for row in table.to_dict("records"):
                ends = {to: 100 * row[name] for name, to in PERCENT.items()}
                named = {**pair, "score": score, "part": row["part"]}
                lines.append(named | ends | moved.get(row["part"], NOBODY_MOVED))
    columns = ["epistemic", "aleatoric", "score", "part", "mean", "low", "high", *NOBODY_MOVED]
    return pd.DataFrame(lines, columns=columns)


PERCENT = {"value": "mean", "low": "low", "high": "high"}
#: Parts of the variance explained that one uncertainty or both explain.
EXPLAIN = ("epistemic", "aleatoric", "joint")


def _share_moved(values, subjects) -> dict[str, dict]:
    """What leaving one subject out does to each share explained, in percent."""
    columns = np.stack(values, axis=1)
    return {
        part: influence.leave_one_out(
            lambda draws, k=k: 100 * sums.shares(draws, columns)[k], subjects.to_numpy(), columns
        ).columns()
        for k, part in enumerate(EXPLAIN)
    }


def paired_images(frame: pd.DataFrame) -> Iterable[tuple[dict, pd.DataFrame]]:
    """Each pair of sources and its images: those of the epistemic, with ``aleatoric`` beside."""
    images = wide(frame)
    missing = {"gt_entropy", *SCORES} - set(images)
    images = images.assign(**dict.fromkeys(missing, np.nan))
    keys = _image_keys(images)
    for pair in sources_of_uncertainty(frame).to_dict("records"):
        other = images[images["condition"] == pair["aleatoric"]].set_index(keys)["entropy"]
        own = images[images["condition"] == pair["epistemic"]]
        yield pair, own.join(other.rename("aleatoric"), on=keys)


def gap_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean entropy of each condition over the mean GT entropy of the same images, as a ratio."""
    images, lines = wide(frame), []
    for name in conditions(frame) if "gt_entropy" in images else []:
        part = images[images["condition"] == name]
        known = part[["subject", "entropy", "gt_entropy"]].dropna()
        values = known[["entropy", "gt_entropy"]]
        draws = statistics.cluster_weights(known["subject"].to_numpy(), values=values)
        drawn = sums.ratio(draws, known["entropy"], known["gt_entropy"])
        found = sums.estimate(drawn)
        moved = influence.ratio(known["entropy"], known["gt_entropy"], known["subject"])
        lines.append(
            {"condition": name, "value": found.value, "low": found.low, "high": found.high}
            | moved.columns()
        )
    return pd.DataFrame(lines, columns=["condition", "value", "low", "high", *NOBODY_MOVED])


def _without_background(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    chosen = rows(frame, measure)
    return chosen[chosen["class"].isin(set(rows(frame, "dice")["class"]))]


def _image_keys(frame: pd.DataFrame) -> list[str]:
    return [name for name in IMAGE if name in frame]


def training_table(sampled: Iterable, opened) -> pd.DataFrame:
    """Best validation Dice of every training behind some samples; `opened` opens a run's folder."""
    found = {}
    for run in sampled:
        inputs = run.read_json("inputs.json")["inputs"]
        for name, entry in inputs.items():
            if entry["kind"] == "run" and name not in found:
                training = opened(name)
                dice = training.read_frame("history.parquet")["validation_dice"].max()
                keys = ("model", "fusion", "seed")
                found[name] = {key: training.parameters[key] for key in keys} | {"dice": dice}
    return pd.DataFrame(found.values(), columns=["model", "fusion", "seed", "dice"])
